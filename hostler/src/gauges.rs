//! Metrics of the whole program, read when they are asked for: the process, the sessions, the servers.
//!
//! Never counts calls: the data plane does.

use std::{
    fmt,
    sync::{Arc, Weak},
};

use gateway::Gateway;
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric},
    metrics::{counter::ConstCounter, gauge::ConstGauge},
};

/// What is read.
pub struct Gauges(Weak<Gateway>);

impl Gauges {
    /// Adds the metrics to those of the gateway.
    pub fn register(gateway: &Arc<Gateway>) {
        let gauges = Box::new(Self(Arc::downgrade(gateway)));
        gateway.meters.register(|registry| registry.register_collector(gauges));
    }
}

impl fmt::Debug for Gauges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Gauges")
    }
}

impl Collector for Gauges {
    fn encode(&self, mut out: DescriptorEncoder<'_>) -> fmt::Result {
        if let Some(gateway) = self.0.upgrade() {
            gauge(&mut out, "hostler_sessions", "Client sessions", whole(gateway.sessions.len()))?;
            let guests = "Sessions at legacy servers for modern callers";
            gauge(&mut out, "hostler_guests", guests, whole(gateway.guests.count()))?;
            let suspended = "Calls that wait for their callers' input";
            gauge(&mut out, "hostler_suspended_calls", suspended, whole(gateway.suspended.count()))?;
            servers(&mut out, &gateway)?;
        }
        process(&mut out)
    }
}

fn whole(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn gauge(out: &mut DescriptorEncoder<'_>, name: &str, help: &str, value: i64) -> fmt::Result {
    let gauge = ConstGauge::new(value);
    gauge.encode(out.encode_descriptor(name, help, None, gauge.metric_type())?)
}

fn servers(out: &mut DescriptorEncoder<'_>, gateway: &Gateway) -> fmt::Result {
    let all = gateway.fleet.all();
    let told: Vec<_> = all.values().map(|server| server.status()).collect();
    let mut up = out.encode_descriptor(
        "hostler_server_up",
        "1 while a server has an open instance",
        None,
        prometheus_client::metrics::MetricType::Gauge,
    )?;
    for status in &told {
        let open = ConstGauge::new(i64::from(!status.instances.is_empty()));
        open.encode(up.encode_family(&[("server", status.name.as_str())])?)?;
    }
    let mut instances = out.encode_descriptor(
        "hostler_server_instances",
        "Open instances of a server",
        None,
        prometheus_client::metrics::MetricType::Gauge,
    )?;
    for status in &told {
        let count = ConstGauge::new(whole(status.instances.len()));
        count.encode(instances.encode_family(&[("server", status.name.as_str())])?)?;
    }
    let mut restarts = out.encode_descriptor(
        "hostler_server_restarts",
        "Times that a server was started again",
        None,
        prometheus_client::metrics::MetricType::Counter,
    )?;
    for status in &told {
        let count = ConstCounter::new(status.restarts);
        count.encode(restarts.encode_family(&[("server", status.name.as_str())])?)?;
    }
    Ok(())
}

/// The names are those that Prometheus' own libraries use.
#[cfg(target_os = "linux")]
fn process(out: &mut DescriptorEncoder<'_>) -> fmt::Result {
    let Ok(stat) = std::fs::read_to_string("/proc/self/stat") else { return Ok(()) };
    // The program's name, in parentheses, may hold anything; the numbers begin behind it.
    let Some((_, numbers)) = stat.rsplit_once(')') else { return Ok(()) };
    let field =
        |number: usize| numbers.split_ascii_whitespace().nth(number - 3).and_then(|text| text.parse::<u64>().ok());
    let ticks = field(14).unwrap_or(0) + field(15).unwrap_or(0);
    // Linux counts in hundredths of a second for programs, on every architecture that matters here.
    let seconds = ConstCounter::new(ticks as f64 / 100.0);
    let help = "Processor time of the program in seconds";
    seconds.encode(out.encode_descriptor("process_cpu_seconds", help, None, seconds.metric_type())?)?;
    let resident = resident_bytes().unwrap_or(0);
    gauge(out, "process_resident_memory_bytes", "Resident memory in bytes", resident)?;
    gauge(out, "process_threads", "Threads", field(20).map_or(0, |n| i64::try_from(n).unwrap_or(0)))?;
    let open = std::fs::read_dir("/proc/self/fd").map_or(0, Iterator::count);
    gauge(out, "process_open_fds", "Open descriptors", whole(open))
}

#[cfg(target_os = "linux")]
fn resident_bytes() -> Option<i64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.split_ascii_whitespace().next()?.parse::<i64>().ok()?.checked_mul(1024)
}

/// Elsewhere there is no `/proc`; the process is watched from outside.
#[cfg(not(target_os = "linux"))]
fn process(_: &mut DescriptorEncoder<'_>) -> fmt::Result {
    Ok(())
}
