//! The endpoints: everything federated, one server untouched, or a configured selection.

use ground::{Failure, Kind};

/// Where a client is connected.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Place {
    /// A view: `/mcp` (empty name) or `/v/{name}/mcp`.
    View(String),
    /// `/servers/{name}/mcp`
    Server(String),
}

/// What a path offers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Offer {
    /// Streamable HTTP, both eras: `…/mcp`.
    Streamable,
    /// The event stream of HTTP+SSE: `…/sse`.
    Sse,
    /// Where clients of HTTP+SSE post: `…/messages`.
    Messages,
    /// WebSocket: `…/ws`.
    WebSocket,
}

impl Offer {
    fn of(word: &str) -> Option<Self> {
        match word {
            "mcp" => Some(Self::Streamable),
            "sse" => Some(Self::Sse),
            "messages" => Some(Self::Messages),
            "ws" => Some(Self::WebSocket),
            _ => None,
        }
    }
}

impl Place {
    /// Reads a path. `None` when it is none of the protocol's.
    #[must_use]
    pub fn parse(path: &str) -> Option<(Self, Offer)> {
        let mut parts = path.strip_prefix('/')?.split('/');
        match (parts.next()?, parts.next(), parts.next(), parts.next()) {
            (word, None, ..) => Some((Self::View(String::new()), Offer::of(word)?)),
            ("servers", Some(name), Some(word), None) => Some((Self::Server(name.to_owned()), Offer::of(word)?)),
            ("v", Some(name), Some(word), None) => Some((Self::View(name.to_owned()), Offer::of(word)?)),
            _ => None,
        }
    }

    /// The path of one of its offers.
    #[must_use]
    pub fn path(&self, word: &str) -> String {
        match self {
            Self::View(name) if name.is_empty() => format!("/{word}"),
            Self::View(name) => format!("/v/{name}/{word}"),
            Self::Server(name) => format!("/servers/{name}/{word}"),
        }
    }

    /// The failure of a place that the plan does not have.
    #[must_use]
    pub fn unknown(&self) -> Failure {
        let text = match self {
            Self::View(name) => format!("there is no virtual server `{name}`"),
            Self::Server(name) => format!("there is no server `{name}`"),
        };
        Failure::client(Kind::NoSuchEndpoint, text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_name_places_and_offers() {
        let view = |name: &str| Place::View(name.to_owned());
        for (path, place) in [
            ("/mcp", Some((view(""), Offer::Streamable))),
            ("/sse", Some((view(""), Offer::Sse))),
            ("/servers/a/mcp", Some((Place::Server("a".into()), Offer::Streamable))),
            ("/v/x/ws", Some((view("x"), Offer::WebSocket))),
            ("/servers/a", None),
            ("/servers/a/b/mcp", None),
            ("/metrics", None),
            ("mcp", None),
        ] {
            assert_eq!(Place::parse(path), place, "{path}");
        }
    }
}
