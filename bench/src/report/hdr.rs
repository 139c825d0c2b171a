//! The formats of HdrHistogram: percentile tables (`.hgrm`) and interval logs (`.hdr`), which its plotters and log
//! processors read.

use std::fmt::Write;
use std::time::SystemTime;

use hdrhistogram::Histogram;
use hdrhistogram::serialization::V2DeflateSerializer;
use hdrhistogram::serialization::interval_log::{IntervalLogWriterBuilder, Tag};

use crate::client::Mode;
use crate::rig::{Interval, RigError};
use crate::stats::histogram;

/// Lines of a percentile table for each halving of the distance to 100 %: as HdrHistogram's own tools write them.
const TICKS_PER_HALF: u32 = 5;

/// What the values of a histogram are.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Unit {
    /// So many make a microsecond.
    pub per_us: f64,
    /// Its name.
    pub name: &'static str,
}

impl Unit {
    /// Latencies.
    pub const NANOSECONDS: Self = Self { per_us: 1_000.0, name: "nanoseconds" };
    /// The cost of a call.
    pub const TENTHS: Self = Self { per_us: 10_000.0, name: "tenths of a nanosecond" };

    pub(crate) fn of(mode: Mode) -> Self {
        if mode == Mode::Cost { Self::TENTHS } else { Self::NANOSECONDS }
    }
}

/// All repetitions together.
pub(crate) fn pooled(intervals: &[Interval]) -> Histogram<u64> {
    let mut pooled = histogram();
    for interval in intervals {
        // The bounds are the same: nothing can be out of them.
        let _ = pooled.add(&interval.latencies);
    }
    pooled
}

/// A percentile table in microseconds.
pub fn percentiles(histogram: &Histogram<u64>, unit: Unit) -> String {
    let mut out = String::new();
    let us = |value: f64| value / unit.per_us;
    // Writing into a string does not fail.
    let _ = writeln!(
        out,
        "{:>12} {:>14} {:>10} {:>14}\n",
        "Value", "Percentile", "TotalCount", "1/(1-Percentile)"
    );
    let mut total = 0;
    for step in histogram.iter_quantiles(TICKS_PER_HALF) {
        total += step.count_since_last_iteration();
        let value = us(step.value_iterated_to() as f64);
        let quantile = step.quantile_iterated_to();
        let _ = write!(out, "{value:12.3} {quantile:14.12} {total:10}");
        let _ =
            if quantile < 1.0 { writeln!(out, " {:14.2}", 1.0 / (1.0 - quantile)) } else { writeln!(out) };
    }
    let (mean, deviation) = (us(histogram.mean()), us(histogram.stdev()));
    let _ = writeln!(out, "#[Mean    = {mean:12.3}, StdDeviation   = {deviation:12.3}]");
    let _ = writeln!(
        out,
        "#[Max     = {:12.3}, Total count    = {:12}]",
        us(histogram.max() as f64),
        histogram.len()
    );
    let buckets = histogram.buckets();
    let subs = histogram.distinct_values() / usize::from(buckets).max(1);
    let _ = writeln!(out, "#[Buckets = {buckets:12}, SubBuckets     = {subs:12}]");
    out
}

/// An interval log with one histogram for each repetition, compressed (V2 deflate).
pub(crate) fn log(intervals: &[Interval], unit: Unit, label: &str) -> Result<Vec<u8>, RigError> {
    let mut out = Vec::new();
    let mut serializer = V2DeflateSerializer::new();
    let begin = intervals.first().map_or(SystemTime::UNIX_EPOCH, |it| it.began);
    let failed =
        |error: &dyn std::fmt::Display| RigError::system(&format!("writing the log of {label}"), error);
    // A tag is a word.
    let tag: String =
        label.chars().map(|it| if it.is_ascii_alphanumeric() || it == '-' { it } else { '_' }).collect();
    let mut writer = IntervalLogWriterBuilder::new()
        .add_comment(&format!("{label}: {}; the column of maxima is in microseconds", unit.name))
        .with_start_time(begin)
        .with_base_time(begin)
        .with_max_value_divisor(unit.per_us)
        .begin_log_with(&mut out, &mut serializer)
        .map_err(|error| failed(&error))?;
    for interval in intervals {
        let since = interval.began.duration_since(begin).unwrap_or_default();
        let written = writer.write_histogram(&interval.latencies, since, interval.took, Tag::new(&tag));
        written.map_err(|error| failed(&error))?;
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use hdrhistogram::serialization::Deserializer;
    use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};

    use super::*;

    /// 1 to 1,000 µs.
    fn thousand() -> Histogram<u64> {
        let mut histogram = histogram();
        (1..=1_000).for_each(|us| histogram.saturating_record(us * 1_000));
        histogram
    }

    #[test]
    fn other_tools_read_the_log_back() {
        let began = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
        let took = Duration::from_millis(1_500);
        let intervals = [0, 2].map(|later| Interval {
            began: began + Duration::from_secs(later),
            took,
            latencies: thousand(),
        });
        let bytes = log(&intervals, Unit::NANOSECONDS, "redis-rs, 16 B").expect("it is written");
        let text = String::from_utf8(bytes.clone()).expect("a log is text");
        assert!(
            text.contains("#[StartTime: 1700000000.000") && text.contains("#[BaseTime: 1700000000.000"),
            "{text}"
        );
        let mut found = Vec::new();
        for entry in IntervalLogIterator::new(&bytes) {
            if let LogEntry::Interval(interval) = entry.expect("it is one") {
                let tag = interval.tag().map(|tag| tag.as_str().to_owned());
                found.push((tag, interval.start_timestamp(), interval.duration(), interval.max()));
                let packed = base64_bytes(interval.encoded_histogram());
                let histogram: Histogram<u64> =
                    Deserializer::new().deserialize(&mut &packed[..]).expect("it is a histogram");
                assert_eq!((histogram.len(), histogram), (1_000, thousand()));
            }
        }
        let tag = Some("redis-rs__16_B".to_owned());
        let max = 1_000.447;
        assert_eq!(found.len(), 2);
        for (at, (found_tag, start, duration, found_max)) in found.into_iter().enumerate() {
            assert_eq!((found_tag, start, duration), (tag.clone(), Duration::from_secs(at as u64 * 2), took));
            assert!((found_max - max).abs() < 1.0, "{found_max}");
        }
    }

    fn base64_bytes(text: &str) -> Vec<u8> {
        const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        let digit = |it: u8| DIGITS.iter().position(|digit| *digit == it).expect("a digit") as u32;
        let text: Vec<u8> = text.bytes().filter(|it| *it != b'=').collect();
        let mut out = Vec::new();
        for chunk in text.chunks(4) {
            let bits = chunk.iter().fold(0, |bits, it| bits << 6 | digit(*it)) << (6 * (4 - chunk.len()));
            out.extend_from_slice(&bits.to_be_bytes()[1..chunk.len()]);
        }
        out
    }
}
