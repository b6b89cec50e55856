//! Messages as public clients and servers sent them, with places for what the two sides see differently.
//!
//! Requests: TypeScript SDK 1.32 and Python SDK 2.3 (legacy), TypeScript client 2.4 and Python SDK 2.3 (modern). Answers:
//! server-everything and mcp-server-time. Shortened nowhere but in texts for people.

use crate::message::{Era, Exchange};

type Recorded = (&'static str, &'static str, &'static str, &'static str);

const TIME: &str = r#"{"jsonrpc":"2.0","id":«id»,"result":{"content":[{"text":"{\n  \"timezone\": \"Etc/UTC\",\n  \"datetime\": \"2026-11-21T12:47:11+00:00\",\n  \"is_dst\": false\n}","type":"text"}],"isError":false,"structuredContent":{"timezone":"Etc/UTC","datetime":"2026-11-21T12:47:11+00:00","day_of_week":"Saturday","is_dst":false}}}"#;
const LINKS: &str = r#"{"result":{"content":[{"type":"text","text":"Here are 2 resource links to resources available in this server:"},{"name":"Blob Resource 1","uri":«uri:0»,"description":"Resource 1: plaintext resource","mimeType":"text/plain","type":"resource_link"},{"name":"Text Resource 2","uri":«uri:3»,"description":"Resource 2: plaintext resource","mimeType":"text/plain","type":"resource_link"}]},"jsonrpc":"2.0","id":«id»}"#;
const EMBEDDED: &str = r#"{"result":{"content":[{"type":"text","text":"Returning resource reference for Resource 1:"},{"type":"resource","resource":{"uri":«uri:2»,"mimeType":"text/plain","text":"Resource 1: This is a plaintext resource created at 12:47:09 PM"}},{"type":"text","text":"You can access this resource using the URI: demo://resource/dynamic/text/1"}]},"jsonrpc":"2.0","id":«id»}"#;
const WEATHER: &str = r#"{"result":{"content":[{"type":"text","text":"{\"temperature\":33,\"conditions\":\"Cloudy\",\"humidity\":82}"}],"structuredContent":{"temperature":33,"conditions":"Cloudy","humidity":82}},"jsonrpc":"2.0","id":«id»}"#;
const PROMPT: &str = r#"{"result":{"messages":[{"role":"user","content":{"type":"text","text":"What's weather in Zürich?"}},{"role":"user","content":{"type":"resource","resource":{"uri":«uri:1»,"mimeType":"text/plain","text":"Resource 1"}}}]},"jsonrpc":"2.0","id":«id»}"#;
const CONTENTS: &str = r#"{"result":{"contents":[{"uri":«uri:0»,"mimeType":"text/plain","text":"Resource 1: This is a plaintext resource"}]},"jsonrpc":"2.0","id":«id»}"#;
const WORDS: &str =
    r#"{"result":{"completion":{"values":["formal","friendly"],"total":2,"hasMore":false}},"jsonrpc":"2.0","id":«id»}"#;

const LEGACY: [Recorded; 7] = [
    (
        "tools/call",
        "echo",
        r#"{"method":"tools/call","params":{"name":«asked»,"arguments":{"text":"Grüße, 世界 \u0000 😀","n":1e+21,"m":9007199254740992,"list":[]},"_meta":{"progressToken":«token»}},"jsonrpc":"2.0","id":«id»}"#,
        WEATHER,
    ),
    (
        "tools/call",
        "get_current_time",
        r#"{"jsonrpc":"2.0","id":«id»,"method":"tools/call","params":{"name":«asked»,"arguments":{"text":"Grüße, 世界 \u0000 😀","n":1e+21,"m":9007199254740993,"f":1.0}}}"#,
        TIME,
    ),
    (
        "tools/call",
        "get-resource-links",
        r#"{"method":"tools/call","params":{"name":«asked»,"arguments":{"count":2}},"jsonrpc":"2.0","id":«id»}"#,
        LINKS,
    ),
    (
        "tools/call",
        "get-resource-reference",
        r#"{"method":"tools/call","params":{"name":«asked»,"arguments":{"resourceType":"Text","resourceId":1}},"jsonrpc":"2.0","id":«id»}"#,
        EMBEDDED,
    ),
    (
        "prompts/get",
        "greeting",
        r#"{"method":"prompts/get","params":{"name":«asked»,"arguments":{"name":"Ann"}},"jsonrpc":"2.0","id":«id»}"#,
        PROMPT,
    ),
    (
        "resources/read",
        "test://text",
        r#"{"jsonrpc":"2.0","id":«id»,"method":"resources/read","params":{"uri":«asked»}}"#,
        CONTENTS,
    ),
    (
        "completion/complete",
        "greeting",
        r#"{"method":"completion/complete","params":{"ref":{"type":"ref/prompt","name":«asked»},"argument":{"name":"style","value":"f"}},"jsonrpc":"2.0","id":«id»}"#,
        WORDS,
    ),
];

const MODERN: [Recorded; 4] = [
    (
        "tools/call",
        "echo",
        r#"{"method":"tools/call","params":{"name":«asked»,"arguments":{"text":"Grüße, 世界 \u0000 😀","n":1e+21,"list":[]},"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":{"name":"a","version":"1"},"io.modelcontextprotocol/clientCapabilities":{},"progressToken":«token»}},"jsonrpc":"2.0","id":«id»}"#,
        LINKS,
    ),
    (
        "tools/call",
        "get_current_time",
        r#"{"jsonrpc":"2.0","id":«id»,"method":"tools/call","params":{"name":«asked»,"arguments":{"text":"Grüße, 世界 \u0000 😀","n":1e+21,"m":9007199254740993,"f":1.0},"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":{"name":"mcp","version":"0.1.0"},"io.modelcontextprotocol/clientCapabilities":{}}}}"#,
        TIME,
    ),
    (
        "resources/read",
        "test://text",
        r#"{"method":"resources/read","params":{"uri":«asked»,"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":{"name":"a","version":"1"},"io.modelcontextprotocol/clientCapabilities":{}}},"jsonrpc":"2.0","id":«id»}"#,
        CONTENTS,
    ),
    (
        "resources/read",
        "test://text",
        r#"{"jsonrpc":"2.0","id":«id»,"method":"resources/read","params":{"uri":«asked»,"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":{"name":"mcp","version":"0.1.0"},"io.modelcontextprotocol/clientCapabilities":{}}}}"#,
        CONTENTS,
    ),
];

/// The recorded exchanges of an era.
pub fn of(era: Era) -> Vec<Exchange> {
    let recorded: &[Recorded] = if era == Era::Legacy { &LEGACY } else { &MODERN };
    let exchange = |(n, (method, native, request, answer)): (usize, &Recorded)| Exchange {
        method: (*method).into(),
        native: (*native).into(),
        request: (*request).into(),
        notice: None,
        answer: (*answer).into(),
        id: (n + 1000).to_string(),
        token: (n + 2000).to_string(),
    };
    recorded.iter().enumerate().map(exchange).collect()
}
