//! A plain client: one blocking socket, commands out, frames in. It shares only the codec with what is tested.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};

use ringwire_codec::resp::{self, Frame, FrameReader, Limits, Token};

use crate::patience::PATIENCE;
use crate::server::Server;

/// Room for one receive: Redis writes at most 64 KiB at a time.
const READ_LEN: usize = 64 << 10;

pub(crate) struct Client {
    stream: TcpStream,
    reader: FrameReader,
    received: Vec<u8>,
    /// What of `received` was taken.
    taken: usize,
}

impl Client {
    pub(crate) fn connect(server: &Server) -> Self {
        Self::to(server.addr())
    }

    /// Connects where the server takes connections of tests alone.
    pub(crate) fn connect_apart(server: &Server) -> Self {
        Self::to(server.addr_apart())
    }

    fn to(addr: SocketAddr) -> Self {
        let stream = TcpStream::connect(addr).expect("the server takes connections");
        stream.set_read_timeout(Some(PATIENCE)).expect("a socket takes a timeout");
        stream.set_nodelay(true).expect("a socket takes an option");
        Self { stream, reader: FrameReader::new(Limits::default()), received: Vec::new(), taken: 0 }
    }

    /// The same connection, for sending from another thread.
    pub(crate) fn stream(&self) -> TcpStream {
        self.stream.try_clone().expect("a socket can be had twice")
    }

    pub(crate) fn send(&mut self, args: &[&[u8]]) {
        let mut out = Vec::new();
        resp::command(&mut out, args);
        self.stream.write_all(&out).expect("the server takes a command");
    }

    /// Hands the next frame to `take`; `None` when the connection has ended.
    pub(crate) fn next<T>(&mut self, take: impl FnOnce(&Frame<'_>) -> T) -> Option<T> {
        loop {
            // The borrow of a frame that is answered ends the loop; an incomplete one does not last.
            let found = self.reader.next(&self.received[self.taken..]).expect("the server speaks RESP");
            if let Some(frame) = found {
                let answer = take(&frame);
                self.taken += frame.len();
                return Some(answer);
            }
            self.received.drain(..self.taken);
            self.taken = 0;
            let len = self.received.len();
            self.received.resize(len + READ_LEN, 0);
            match self.stream.read(&mut self.received[len..]) {
                Ok(0) => return None,
                Ok(n) => self.received.truncate(len + n),
                Err(error) if error.kind() == ErrorKind::ConnectionReset => return None,
                Err(error) => panic!("no answer from the server: {error}"),
            }
        }
    }

    /// Sends a command and answers its reply in words: `-` before an error, elements parted by spaces.
    pub(crate) fn ask(&mut self, args: &[&str]) -> String {
        let args: Vec<&[u8]> = args.iter().map(|arg| arg.as_bytes()).collect();
        self.send(&args);
        self.next(words).expect("the server answers")
    }

    /// As [`Client::ask`], where nothing but `OK` will do.
    pub(crate) fn order(&mut self, args: &[&str]) {
        assert_eq!(self.ask(args), "OK", "{args:?}");
    }

    /// Closes the connection for both directions.
    pub(crate) fn close(&self) {
        let _ = self.stream.shutdown(Shutdown::Both);
    }
}

/// The bytes of a frame that is one text.
pub(crate) fn words_of(frame: &Frame<'_>) -> Vec<u8> {
    frame.head().bytes().unwrap_or_default().to_vec()
}

/// A frame in words.
pub(crate) fn words(frame: &Frame<'_>) -> String {
    let mut words = Vec::new();
    for token in frame.tokens() {
        match token {
            Token::Error(text) | Token::BulkError(text) => {
                words.push(format!("-{}", String::from_utf8_lossy(text)));
            }
            Token::Integer(number) => words.push(number.to_string()),
            other => words.extend(other.bytes().map(|text| String::from_utf8_lossy(text).into_owned())),
        }
    }
    words.join(" ")
}
