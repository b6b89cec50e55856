//! The data plane: from a client's bytes to a server and back. Read [`path`] first.
//!
//! Never opens the database, never starts a server, never decodes a message into typed values on its way through.

pub mod admit;
pub mod body;
mod call;
mod compress;
mod enter;
mod face;
mod failure;
mod finish;
mod forward;
pub mod gateway;
mod introduce;
mod level;
pub mod listen;
mod listen_modern;
mod listeners;
mod lists;
pub mod meters;
mod notify;
mod outlet;
mod own;
mod path;
mod place;
mod respond;
mod restore;
mod resume;
mod rewrite;
mod route;
mod session;
mod sessions;
mod shared;
mod trail;
mod views;
mod websocket;

pub use body::Body;
pub use gateway::{Fallback, Gateway, Lane};

#[cfg(test)]
mod sizes {
    #[test]
    fn print_sizes() {
        fn size<F: Future>(f: impl FnOnce(crate::Lane, http::Request<hyper::body::Incoming>) -> F) -> usize { let _ = &f; size_of::<F>() }
        println!("compress {}", size(|l, r| crate::compress::dispatch(l, r)));
        println!("dispatch {}", size(|l, r| async move { crate::listen::dispatch(&l, r).await }));
        fn size3<F: Future>(f: impl FnOnce(crate::Lane, crate::call::Call, crate::route::Trip, crate::finish::Ticket) -> F) -> usize { let _ = &f; size_of::<F>() }
        println!("forward {}", size3(|l, c, t, k| async move { crate::forward::forward(&l, c, t, k).await }));
        println!("call {} ticket {} trip {} outcome {} body {} outgoing {}", size_of::<crate::call::Call>(), size_of::<crate::finish::Ticket>(), size_of::<crate::route::Trip>(), size_of::<crate::forward::Outcome>(), size_of::<crate::Body>(), size_of::<upstream::Outgoing>());
        println!("message {} envelope {} splice {} pieces {}", size_of::<upstream::Message>(), size_of::<wire::Envelope>(), size_of::<wire::Splice>(), size_of::<wire::Pieces>());
    }
}
