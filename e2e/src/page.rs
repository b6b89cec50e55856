//! A small web page on loopback, for the server that fetches pages.
//!
//! Never serves anything but its one page: there is no robots.txt, which means that everything may be fetched.

use std::net::SocketAddr;

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
    task::JoinHandle,
};

/// What stands on the page.
pub const TEXT: &str = "A page for the fetch server, with enough words to be worth keeping.";

/// A running web server; it ends with this value.
#[derive(Debug)]
pub struct Page {
    address: SocketAddr,
    serving: JoinHandle<()>,
}

impl Page {
    /// Serves the page on a free port.
    ///
    /// # Panics
    /// When there is no free port.
    pub async fn serve() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let serving = tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let mut request = [0; 4096];
                    let read = stream.read(&mut request).await.unwrap_or(0);
                    let answer = answer(&String::from_utf8_lossy(&request[..read]));
                    let _ = stream.write_all(answer.as_bytes()).await;
                });
            }
        });
        Self { address, serving }
    }

    /// Its URL.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}/page.html", self.address)
    }
}

fn answer(request: &str) -> String {
    let (status, body) = match request.split(' ').nth(1) {
        Some("/page.html") => {
            ("200 OK", format!("<html><body><article><h1>Title</h1><p>{TEXT}</p></article></body></html>"))
        }
        _ => ("404 Not Found", String::new()),
    };
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\ncontent-type: text/html\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
    )
}

impl Drop for Page {
    fn drop(&mut self) {
        self.serving.abort();
    }
}
