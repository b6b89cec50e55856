//! Points in time as text (RFC 3339). Never reads a clock.

/// Milliseconds in a day.
const DAY: i64 = 24 * 3600 * 1000;

/// A distance from UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Offset {
    minutes: i32,
}

impl Offset {
    /// Coordinated universal time.
    pub const UTC: Self = Self { minutes: 0 };

    /// Reads `Z`, `+02:00`, `-05:30`; at most 14 hours either way, as far as time zones go.
    pub fn parse(text: &str) -> Option<Self> {
        if text == "Z" {
            return Some(Self::UTC);
        }
        let (sign, rest) = match text.split_at_checked(1)? {
            ("+", rest) => (1, rest),
            ("-", rest) => (-1, rest),
            _ => return None,
        };
        let (hours, minutes) = rest.split_once(':')?;
        let two = |part: &str| (part.len() == 2 && part.bytes().all(|b| b.is_ascii_digit())).then(|| part.parse().ok());
        let (hours, minutes): (i32, i32) = (two(hours)??, two(minutes)??);
        let total = hours * 60 + minutes;
        (minutes < 60 && total <= 14 * 60).then_some(Self { minutes: sign * total })
    }
}

impl std::fmt::Display for Offset {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.minutes == 0 {
            return f.write_str("Z");
        }
        let sign = if self.minutes < 0 { '-' } else { '+' };
        write!(f, "{sign}{:02}:{:02}", self.minutes.abs() / 60, self.minutes.abs() % 60)
    }
}

/// Milliseconds since 1970-01-01T00:00:00Z as a date and time with milliseconds, such as `2026-11-21T10:00:00.000Z`.
pub fn rfc3339(unix_ms: i64, offset: Offset) -> String {
    let local = unix_ms.saturating_add(i64::from(offset.minutes) * 60_000);
    let (days, rest) = (local.div_euclid(DAY), local.rem_euclid(DAY));
    let (year, month, day) = civil(days);
    let (hour, minute, second, milli) = (rest / 3_600_000, rest / 60_000 % 60, rest / 1000 % 60, rest % 1000);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{milli:03}{offset}")
}

/// Days since 1970-01-01 as year, month and day of the Gregorian calendar.
///
/// Counted in years that begin on the first of March, so that a leap day is a year's last day, and in eras of 400 of
/// them, which all have 146097 days.
fn civil(days: i64) -> (i64, i64, i64) {
    // From 1970-01-01 back to 0000-03-01.
    let days = days + 719_468;
    let (era, day) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    // Months from March on have 31, 30, 31, 30, 31 days, twice and a bit: 153 days for every five.
    let month = (5 * day + 2) / 153;
    let day_of_month = day - (153 * month + 2) / 5 + 1;
    let (month, later) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    (year + era * 400 + later, month, day_of_month)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;

    #[test]
    fn known_moments_are_written_as_everybody_writes_them() {
        for (unix_ms, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (-1, "1969-12-31T23:59:59.999Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (1_700_000_000_123, "2023-11-14T22:13:20.123Z"),
            (4_107_542_399_999, "2100-02-28T23:59:59.999Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
        ] {
            assert_eq!(rfc3339(unix_ms, Offset::UTC), text);
        }
    }

    #[test]
    fn every_day_follows_the_one_before() {
        let mut last = civil(-200_000);
        for days in -199_999..200_000 {
            let (year, month, day) = civil(days);
            let (y, m, d) = last;
            let next_day = (year, month, day) == (y, m, d + 1);
            let next_month = day == 1 && ((year, month) == (y, m + 1) || (year, month, m) == (y + 1, 1, 12));
            assert!(next_day || next_month, "{last:?} -> {:?}", (year, month, day));
            last = (year, month, day);
        }
    }

    #[test]
    fn an_offset_shifts_the_time_and_is_written_behind_it() {
        let at = |offset| rfc3339(1_700_000_000_000, Offset::parse(offset).unwrap());
        assert_eq!(at("+02:00"), "2023-11-15T00:13:20.000+02:00");
        assert_eq!(at("-05:30"), "2023-11-14T16:43:20.000-05:30");
        assert_eq!(at("+00:00"), at("Z"));
        for wrong in ["", "2", "+2:00", "+02", "+0200", "+14:01", "+01:60", "+-1:00", "UTC", "é0:00"] {
            assert_eq!(Offset::parse(wrong), None, "{wrong}");
        }
    }
}
