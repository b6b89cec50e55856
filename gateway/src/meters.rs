//! What is counted of calls, in Prometheus' terms. The label sets are bounded: a name becomes a label only when a server
//! lists it, and beyond the bound all share the label `other`.

use std::sync::{Arc, atomic::AtomicU64};

use foldhash::{HashMap, HashMapExt};
use parking_lot::RwLock;
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{
        counter::Counter,
        family::Family,
        gauge::Gauge,
        histogram::{Histogram, exponential_buckets},
    },
    registry::{Registry, Unit},
};

/// Pairs of server and tool that have series of their own.
const SERIES: usize = 2000;

/// Server and tool (or method, for what is no tool).
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    server: String,
    tool: String,
}

/// The same with how it went.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Outcomes {
    server: String,
    tool: String,
    outcome: &'static str,
}

/// The counters of one server and tool.
pub struct Series {
    labels: Labels,
    calls: Family<Outcomes, Counter>,
    answered: Counter,
    seconds: Histogram,
}

impl Series {
    /// Counts a call that took so long and went so.
    pub fn count(&self, outcome: &'static str, seconds: f64) {
        self.seconds.observe(seconds);
        if outcome == "ok" {
            self.answered.inc();
        } else {
            let Labels { server, tool } = self.labels.clone();
            self.calls.get_or_create(&Outcomes { server, tool, outcome }).inc();
        }
    }
}

/// All that is counted.
pub struct Meters {
    registry: RwLock<Registry>,
    calls: Family<Outcomes, Counter>,
    seconds: Family<Labels, Histogram, fn() -> Histogram>,
    series: RwLock<HashMap<String, HashMap<String, Arc<Series>>>>,
    /// Calls in flight.
    pub in_flight: Gauge,
    /// Requests refused before they became calls.
    pub refused: Family<Refusal, Counter>,
    /// Open client connections.
    pub connections: Gauge,
    /// Bytes of answers.
    pub sent: Counter<u64, AtomicU64>,
}

/// Why a request was refused.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Refusal {
    /// The failure's kind.
    pub kind: &'static str,
}

/// From half a millisecond to about a minute.
fn buckets() -> Histogram {
    Histogram::new(exponential_buckets(0.000_25, 2.0, 18))
}

impl Default for Meters {
    fn default() -> Self {
        let mut root = Registry::default();
        let registry = root.sub_registry_with_prefix("hostler");
        let calls = Family::<Outcomes, Counter>::default();
        let seconds = Family::<Labels, Histogram, fn() -> Histogram>::new_with_constructor(buckets);
        let (in_flight, connections) = (Gauge::default(), Gauge::default());
        let refused = Family::<Refusal, Counter>::default();
        let sent = Counter::<u64, AtomicU64>::default();
        registry.register("calls", "Calls by server, tool and outcome", calls.clone());
        let help = "Time from a call's arrival to the last byte of its answer";
        registry.register_with_unit("call_duration", help, Unit::Seconds, seconds.clone());
        registry.register("calls_in_flight", "Calls in flight", in_flight.clone());
        registry.register("requests_refused", "Requests refused before they became calls", refused.clone());
        registry.register("connections", "Open client connections", connections.clone());
        registry.register_with_unit("answer", "Size of all answers together", Unit::Bytes, sent.clone());
        let (registry, series) = (RwLock::new(root), RwLock::new(HashMap::new()));
        Self { registry, calls, seconds, series, in_flight, refused, connections, sent }
    }
}

impl Meters {
    /// The counters of a server and tool.
    #[must_use]
    pub fn series(&self, server: &str, tool: &str) -> Arc<Series> {
        if let Some(series) = self.series.read().get(server).and_then(|tools| tools.get(tool)) {
            return series.clone();
        }
        let mut table = self.series.write();
        let full = table.values().map(HashMap::len).sum::<usize>() >= SERIES;
        let (server, tool) = if full { ("other", "other") } else { (server, tool) };
        let tools = table.entry(server.to_owned()).or_default();
        if let Some(series) = tools.get(tool) {
            return series.clone();
        }
        let labels = Labels { server: server.to_owned(), tool: tool.to_owned() };
        let ok = Outcomes { server: server.to_owned(), tool: tool.to_owned(), outcome: "ok" };
        let series = Arc::new(Series {
            answered: self.calls.get_or_create_owned(&ok),
            seconds: self.seconds.get_or_create_owned(&labels),
            calls: self.calls.clone(),
            labels,
        });
        tools.insert(tool.to_owned(), series.clone());
        series
    }

    /// Adds what others count, under names of their own.
    pub fn register(&self, add: impl FnOnce(&mut Registry)) {
        add(&mut self.registry.write());
    }

    /// All of it as text in the OpenMetrics format.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::new();
        // Writing into a string cannot fail.
        let _ = prometheus_client::encoding::text::encode(&mut text, &self.registry.read());
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn label_sets_are_bounded() {
        let meters = Meters::default();
        for n in 0..3 * SERIES {
            meters.series("s", &format!("tool-{n}")).count("ok", 0.001);
        }
        let count: usize = meters.series.read().values().map(HashMap::len).sum();
        assert!(count <= SERIES + 1, "{count}");
        assert!(meters.text().contains("hostler_calls_total{server=\"other\",tool=\"other\",outcome=\"ok\"}"));
    }
}
