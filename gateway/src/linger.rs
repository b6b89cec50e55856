//! The end of a connection: what is still arriving is read and thrown away for a moment, so that the last answer is not lost.
//!
//! A socket that is closed while something lies unread in it is reset, and the reset overtakes the answer: a client
//! whose request was refused before its end (headers or a body too large, a bad chunk) would see a broken connection in
//! place of the reason. Never reads a byte while the connection is served.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use parking_lot::Mutex;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf},
    net::TcpStream,
    time::timeout,
};

/// A client that goes on sending is heard this long.
const LONGEST: Duration = Duration::from_secs(2);

/// A stream that is handed back when whoever serves it lets it go.
pub struct Lent {
    /// Always there until it is dropped.
    stream: Option<TcpStream>,
    back: Back,
}

/// Where the stream is handed back.
#[derive(Clone, Default)]
pub struct Back(Arc<Mutex<Option<TcpStream>>>);

impl Back {
    /// Lends a stream.
    #[must_use]
    pub fn lend(&self, stream: TcpStream) -> Lent {
        Lent { stream: Some(stream), back: self.clone() }
    }

    /// Ends the connection if its stream was handed back; one that was upgraded is not.
    pub async fn end(self) {
        let Some(mut stream) = self.0.lock().take() else { return };
        let until_gone = async {
            stream.shutdown().await?;
            let mut unread = [0; 4096];
            while stream.read(&mut unread).await? > 0 {}
            Ok::<_, io::Error>(())
        };
        let _ = timeout(LONGEST, until_gone).await;
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        *self.back.0.lock() = self.stream.take();
    }
}

impl Lent {
    /// The stream is missing only while it is dropped, when nobody asks any more.
    fn poll<T>(
        self: Pin<&mut Self>,
        ask: impl FnOnce(Pin<&mut TcpStream>) -> Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        match &mut self.get_mut().stream {
            Some(stream) => ask(Pin::new(stream)),
            None => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }
}

impl AsyncRead for Lent {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.poll(|stream| stream.poll_read(cx, into))
    }
}

impl AsyncWrite for Lent {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, from: &[u8]) -> Poll<io::Result<usize>> {
        self.poll(|stream| stream.poll_write(cx, from))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        from: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.poll(|stream| stream.poll_write_vectored(cx, from))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll(|stream| stream.poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll(|stream| stream.poll_shutdown(cx))
    }
}
