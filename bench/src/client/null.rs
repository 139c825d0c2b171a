//! The rig measuring itself: every message is answered the moment it is handed over.

use ringwire::monotonic_ns;

use super::pace::sleep_until;
use super::record::Recorder;
use super::{ClientArgs, Told};
use crate::rig::RigError;

/// `null` spins for its due times, as ours and the floor do; `null-sleep` sleeps, as the foreign clients do.
pub(super) fn run(args: &ClientArgs) -> Result<Told, RigError> {
    let sleeps = args.client == "null-sleep";
    let records = args.records()?;
    let mut recorder = Recorder::start(args, args.due()?);
    let mut index = 0;
    while let Some(due_ns) = recorder.due_ns(index) {
        let now_ns = monotonic_ns();
        if now_ns < due_ns {
            if sleeps {
                sleep_until(due_ns);
            }
            continue;
        }
        recorder.handed(index, now_ns);
        std::hint::black_box(records.of(index));
        recorder.answered(index, monotonic_ns());
        index += 1;
    }
    let way = if sleeps {
        "sleeps for the due time (clock_nanosleep, 1 ns slack)"
    } else {
        "spins for the due time"
    };
    recorder.finish(args, &["answers at once", way])
}
