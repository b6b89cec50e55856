//! Fresh identifiers. The only place that draws them, so that their strength is decided once.

use uuid::Uuid;

/// An identifier that cannot be guessed: 122 random bits as 32 hexadecimal digits. For session ids.
#[must_use]
pub fn secret_id() -> String {
    Uuid::new_v4().simple().to_string()
}

/// An identifier that sorts by the time it was drawn, for things that are listed and logged.
#[must_use]
pub fn ordered_id() -> String {
    Uuid::now_v7().simple().to_string()
}

/// Random bytes, for jitter.
#[must_use]
pub fn bytes<const N: usize>() -> [u8; N] {
    let mut out = [0; N];
    out.iter_mut().zip(Uuid::new_v4().into_bytes()).for_each(|(to, from)| *to = from);
    out
}
