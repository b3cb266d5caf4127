//! Between the broker and those who watch: whatever the broker had sent before it died is theirs.
//!
//! A broker that keeps nothing on disk forgets what it sent and was not acknowledged. A client that meets the end of its
//! connection, by a failed write or together with the last messages, gives up what it has not looked at: with such a broker
//! that is lost, and no sender can know. So here writes never fail, and the end comes well after the last byte.
//!
//! # Ownership
//! A thread accepts, two more each connection; they end with the process.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

/// So long after the last byte the connection ends; well below the time that the program gives subscribers to return.
const END_AFTER: Duration = Duration::from_millis(700);

/// Starts it; the port to connect to.
pub(crate) fn start(broker: u16) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("it listens").port();
    std::thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let Ok(server) = TcpStream::connect(SocketAddr::from(([127, 0, 0, 1], broker))) else { continue };
            let _ = (client.set_nodelay(true), server.set_nodelay(true));
            let (Ok(reading), Ok(writing)) = (client.try_clone(), server.try_clone()) else { continue };
            std::thread::spawn(move || up(reading, &writing));
            std::thread::spawn(move || down(server, &client));
        }
    });
    port
}

/// Reads all that a client says, even if nobody is there any more to hear it.
fn up(mut client: TcpStream, mut server: &TcpStream) {
    let mut chunk = [0; 4096];
    while let Ok(read @ 1..) = client.read(&mut chunk) {
        let _ = server.write_all(&chunk[..read]);
    }
    let _ = server.shutdown(Shutdown::Both);
}

fn down(mut server: TcpStream, mut client: &TcpStream) {
    let mut chunk = [0; 4096];
    while let Ok(read @ 1..) = server.read(&mut chunk) {
        if client.write_all(&chunk[..read]).is_err() {
            return;
        }
    }
    std::thread::park_timeout(END_AFTER);
    let _ = client.shutdown(Shutdown::Write);
}
