//! Kafka's own clients and tools: what they say is in a cluster. See `java/Judge.java` for the language.

use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, ChildStdin, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use ringwire_codec::kafka::Codec;
use ringwire_tests::patience::PATIENCE;

use super::line::Line;
use super::records::Owned;

/// It keeps what is being read of a few topics.
const JUDGE_MEMORY_MAX_MIB: u32 = 256;

/// A Java process that answers questions about a cluster.
pub(crate) struct Judge {
    process: Child,
    questions: ChildStdin,
    answers: Receiver<Vec<u8>>,
}

/// A record and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stored {
    pub(crate) partition: i32,
    pub(crate) offset: i64,
    /// The timestamp is the broker's.
    pub(crate) is_log_append_time: bool,
    pub(crate) record: Owned,
}

/// A batch as DumpLogSegments describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Dumped {
    /// Its checksum is that of its bytes.
    pub(crate) is_valid: bool,
    pub(crate) base_offset: i64,
    pub(crate) last_offset: i64,
    pub(crate) count: i64,
    pub(crate) base_sequence: i64,
    pub(crate) last_sequence: i64,
    pub(crate) producer_id: i64,
    pub(crate) producer_epoch: i64,
    pub(crate) codec: String,
    /// By offset; those of a deep iteration.
    pub(crate) records: Vec<DumpedRecord>,
}

/// A record as DumpLogSegments describes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DumpedRecord {
    pub(crate) offset: i64,
    pub(crate) timestamp: i64,
    /// -1: null.
    pub(crate) key_len: i64,
    /// -1: null.
    pub(crate) value_len: i64,
    pub(crate) sequence: i64,
}

impl Judge {
    /// `scratch` is a folder for its files.
    pub(crate) fn start(line: Line, bootstrap: &[SocketAddr], scratch: &Path) -> Self {
        let bootstrap: Vec<String> = bootstrap.iter().map(SocketAddr::to_string).collect();
        let mut process = line
            .java(JUDGE_MEMORY_MAX_MIB, scratch)
            .args(["Judge", &bootstrap.join(",")])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("java: {error}"));
        let questions = process.stdin.take().expect("its input is piped");
        let mut output = BufReader::new(process.stdout.take().expect("its output is piped"));
        let (sender, answers) = channel();
        // It ends with the process: so a question can be waited for with an end.
        thread::spawn(move || {
            let mut line = Vec::new();
            while output.read_until(b'\n', &mut line).is_ok_and(|len| len > 0) {
                if line.last() == Some(&b'\n') {
                    line.pop();
                }
                if sender.send(std::mem::take(&mut line)).is_err() {
                    return;
                }
            }
        });
        Self { process, questions, answers }
    }

    /// The lines of the answer.
    fn ask(&mut self, question: &str) -> Vec<String> {
        self.questions.write_all(question.as_bytes()).expect("the judge takes questions");
        let mut lines = Vec::new();
        loop {
            let line = self.answers.recv_timeout(PATIENCE);
            let line = line.unwrap_or_else(|error| panic!("no answer to {}: {error}", first_line(question)));
            let line = String::from_utf8_lossy(&line).into_owned();
            match line.strip_prefix("error ") {
                _ if line == "end" => return lines,
                Some(words) => panic!("{}: {words}", first_line(question)),
                None => lines.push(line),
            }
        }
    }

    /// Every record of a topic, by partition and offset.
    pub(crate) fn read(&mut self, topic: &str) -> Vec<Stored> {
        let mut stored: Vec<Stored> =
            self.ask(&format!("read {topic}\n")).iter().map(|line| stored(line)).collect();
        stored.sort_by_key(|it| (it.partition, it.offset));
        stored
    }

    /// The batches of a log segment, each of which was found valid.
    #[track_caller]
    pub(crate) fn dump(&mut self, segment: &Path) -> Vec<Dumped> {
        let batches = self.inspect(segment);
        assert!(batches.iter().all(|batch| batch.is_valid), "{}: {batches:?}", segment.display());
        batches
    }

    /// The batches of a log segment, valid or not.
    pub(crate) fn inspect(&mut self, segment: &Path) -> Vec<Dumped> {
        let lines = self.ask(&format!("dump {}\n", segment.display()));
        let mut batches: Vec<Dumped> = Vec::new();
        for line in &lines {
            if line.starts_with("baseOffset: ") {
                batches.push(dumped(line));
            } else if line.starts_with("| offset: ") {
                let batch = batches.last_mut().expect("a batch stands before its records");
                batch.records.push(dumped_record(line));
            }
        }
        // It says so after the batches, and goes on.
        let wrong = lines.iter().find(|line| line.starts_with("Found ") || line.contains("Could not"));
        assert_eq!(wrong, None, "{}", segment.display());
        batches
    }

    /// Makes a topic have so many partitions.
    pub(crate) fn grow(&mut self, topic: &str, partitions: i32) {
        self.ask(&format!("grow {topic} {partitions}\n"));
    }

    /// Deletes a topic.
    pub(crate) fn delete(&mut self, topic: &str) {
        self.ask(&format!("delete {topic}\n"));
    }

    /// Lets nobody write to a topic.
    pub(crate) fn forbid(&mut self, topic: &str) {
        self.ask(&format!("forbid {topic}\n"));
    }

    /// Takes that back.
    pub(crate) fn allow(&mut self, topic: &str) {
        self.ask(&format!("allow {topic}\n"));
    }

    /// Appends keys and values by the Java producer as it is by default, and returns where each stands: partition
    /// and offset.
    pub(crate) fn produce(&mut self, topic: &str, codec: Codec, records: &[Owned]) -> Vec<(i32, i64)> {
        let mut question = format!("produce {topic} {} {}\n", codec.name(), records.len());
        for Owned { key, value, .. } in records {
            question.push_str(&format!("{} {}\n", hex(key.as_deref()), hex(value.as_deref())));
        }
        let lines = self.ask(&question);
        let sent = lines.iter().map(|line| {
            let words: Vec<&str> = line.split(' ').collect();
            assert_eq!((words[0], words.len()), ("sent", 3), "{line}");
            (number(words[1]) as i32, number(words[2]))
        });
        sent.collect()
    }
}

impl Drop for Judge {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

fn number(text: &str) -> i64 {
    text.parse().unwrap_or_else(|_| panic!("{text} is no number"))
}

fn hex(bytes: Option<&[u8]>) -> String {
    let Some(bytes) = bytes else { return "-".to_owned() };
    let digits = bytes.iter().map(|byte| format!("{byte:02x}"));
    "x".to_owned() + &digits.collect::<String>()
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits = text.strip_prefix('x')?.as_bytes();
    let nibble = |digit: u8| char::from(digit).to_digit(16).expect("a hexadecimal digit") as u8;
    Some(digits.chunks_exact(2).map(|pair| nibble(pair[0]) << 4 | nibble(pair[1])).collect())
}

fn stored(line: &str) -> Stored {
    let words: Vec<&str> = line.split(' ').collect();
    assert_eq!(words[0], "record", "{line}");
    let headers = words[7..].chunks_exact(2);
    let headers = headers.map(|pair| (unhex(pair[0]).expect("a header has a key"), unhex(pair[1])));
    Stored {
        partition: number(words[1]) as i32,
        offset: number(words[2]),
        is_log_append_time: words[3] == "LogAppendTime",
        record: Owned {
            timestamp: number(words[4]),
            key: unhex(words[5]),
            value: unhex(words[6]),
            headers: headers.collect(),
        },
    }
}

/// The word behind `name: `.
fn word<'l>(line: &'l str, name: &str) -> &'l str {
    let mut words = line.split(' ');
    let found = words.by_ref().any(|word| word.strip_suffix(':') == Some(name));
    assert!(found, "{name} stands in {line}");
    words.next().unwrap_or_default()
}

fn dumped(line: &str) -> Dumped {
    assert_eq!(word(line, "magic"), "2", "{line}");
    Dumped {
        is_valid: word(line, "isvalid") == "true",
        base_offset: number(word(line, "baseOffset")),
        last_offset: number(word(line, "lastOffset")),
        count: number(word(line, "count")),
        base_sequence: number(word(line, "baseSequence")),
        last_sequence: number(word(line, "lastSequence")),
        producer_id: number(word(line, "producerId")),
        producer_epoch: number(word(line, "producerEpoch")),
        codec: word(line, "compresscodec").to_lowercase(),
        records: Vec::new(),
    }
}

fn dumped_record(line: &str) -> DumpedRecord {
    let timestamp = if line.contains(" CreateTime: ") { "CreateTime" } else { "LogAppendTime" };
    DumpedRecord {
        offset: number(word(line, "offset")),
        timestamp: number(word(line, timestamp)),
        key_len: number(word(line, "keySize")),
        value_len: number(word(line, "valueSize")),
        sequence: number(word(line, "sequence")),
    }
}
