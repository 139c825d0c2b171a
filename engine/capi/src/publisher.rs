//! Publishing.

use std::cell::RefCell;
use std::ffi::{c_int, c_void};

use ringwire::Publisher;

use crate::boundary::{Handle, In, Kind, LEN_MAX, Out};
use crate::channel::rw_channel;
use crate::claim::Desk;
use crate::code::{Code, OK, TOO_LONG, of_open, of_refusal};
use crate::engine::{duration, rw_engine};
use crate::message::{HeaderRoom, rw_msg, rw_slice};
use crate::reports::rw_reports;
use crate::text::fail;

/// A publisher of one thread.
#[allow(non_camel_case_types)]
pub(crate) struct rw_publisher {
    desk: Desk,
    headers: RefCell<HeaderRoom>,
}

impl Kind for rw_publisher {
    const KIND: u32 = 4;
    const NAME: &'static str = "publisher";
}

impl rw_publisher {
    fn new(publisher: Publisher) -> Self {
        Self { desk: Desk::new(publisher), headers: RefCell::default() }
    }
}

fn open(
    engine: &rw_engine,
    publisher: &Out<Handle<rw_publisher>>,
    reports: &Out<Handle<rw_reports>>,
) -> Result<c_int, Code> {
    publisher.wanted("publisher")?;
    let refused = |error| of_open(&error);
    if reports.is_null() {
        let opened = engine.engine.publisher_without_reports().map_err(refused)?;
        publisher.set(Handle::unbound(rw_publisher::new(opened))?);
    } else {
        reports.wanted("reports")?;
        let (opened, outcomes) = engine.engine.publisher().map_err(refused)?;
        let handle = Handle::exclusive(rw_reports::new(outcomes))?;
        match Handle::unbound(rw_publisher::new(opened)) {
            Ok(opened) => publisher.set(opened),
            Err(code) => {
                drop(handle.take());
                return Err(code);
            }
        }
        reports.set(handle);
    }
    Ok(OK)
}

fn publish_message(publisher: &rw_publisher, message: &rw_msg) -> Result<u64, Code> {
    let channel = message.channel.get()?;
    let mut room = publisher.headers.borrow_mut();
    let headers = room.build(message.headers.many(message.header_count, "headers")?)?;
    let message = message.message(headers)?;
    publisher.desk.with(|it| it.publish_message(&channel.0, &message))?.map_err(of_refusal)
}

/// Publishes slices as one message.
fn publish_slices(publisher: &rw_publisher, channel: &rw_channel, slices: &[rw_slice]) -> Result<u64, Code> {
    let too_long = || fail(TOO_LONG, format_args!("the slices together are longer than any ring takes"));
    let mut len = 0_usize;
    for slice in slices {
        len = len.checked_add(slice.data.bytes(slice.len)?.len()).ok_or_else(too_long)?;
    }
    if len > LEN_MAX {
        return Err(too_long());
    }
    publisher.desk.with(|it| {
        let mut claim = it.try_claim(&channel.0, len).map_err(of_refusal)?;
        let mut rest = &mut claim[..];
        for slice in slices {
            // Another thread of C's may change a slice meanwhile, against the header; a panic is caught then.
            let (place, behind) = rest.split_at_mut(slice.len);
            place.copy_from_slice(slice.data.bytes(slice.len)?);
            rest = behind;
        }
        Ok(claim.commit())
    })?
}

export! {
    fn rw_publisher_open(
        engine: Handle<rw_engine>,
        publisher: Out<Handle<rw_publisher>>,
        reports: Out<Handle<rw_reports>>,
    ) {
        open(engine.get()?, &publisher, &reports)
    }

    fn rw_publish(
        publisher: Handle<rw_publisher>,
        channel: Handle<rw_channel>,
        payload: In<c_void>,
        len: usize,
        sequence: Out<u64>,
    ) {
        let (publisher, channel) = (publisher.own()?, channel.get()?);
        let payload = payload.bytes(len)?;
        let published = publisher.desk.with(|it| it.publish(&channel.0, payload))?;
        sequence.set(published.map_err(of_refusal)?);
        Ok(OK)
    }

    fn rw_publish_msg(publisher: Handle<rw_publisher>, message: In<rw_msg>, sequence: Out<u64>) {
        let (publisher, message) = (publisher.own()?, rw_msg::read(message)?);
        sequence.set(publish_message(publisher, &message)?);
        Ok(OK)
    }

    fn rw_publishv(
        publisher: Handle<rw_publisher>,
        channel: Handle<rw_channel>,
        slices: In<rw_slice>,
        count: usize,
        sequence: Out<u64>,
    ) {
        let (publisher, channel) = (publisher.own()?, channel.get()?);
        sequence.set(publish_slices(publisher, channel, slices.many(count, "slices")?)?);
        Ok(OK)
    }

    fn rw_try_claim(
        publisher: Handle<rw_publisher>,
        channel: Handle<rw_channel>,
        len: usize,
        place: Out<*mut c_void>,
    ) {
        let (publisher, channel) = (publisher.own()?, channel.get()?);
        place.wanted("place")?;
        place.set(publisher.desk.claim(&channel.0, len)?.cast());
        Ok(OK)
    }

    fn rw_commit(publisher: Handle<rw_publisher>, place: Out<c_void>, sequence: Out<u64>) {
        sequence.set(publisher.own()?.desk.commit(place.pointer().addr())?);
        Ok(OK)
    }

    fn rw_abort(publisher: Handle<rw_publisher>, place: Out<c_void>) {
        publisher.own()?.desk.abort(place.pointer().addr()).map(|()| OK)
    }

    fn rw_wait_writable(
        publisher: Handle<rw_publisher>,
        channel: Handle<rw_channel>,
        len: usize,
        timeout_ns: u64,
    ) {
        let (publisher, channel) = (publisher.own_long()?, channel.get()?);
        let timeout = duration(timeout_ns);
        let is_writable = publisher.desk.with(|it| it.wait_writable(&channel.0, len, timeout))?;
        Ok(c_int::from(is_writable.map_err(of_refusal)?))
    }

    fn rw_flush(publisher: Handle<rw_publisher>, timeout_ns: u64) {
        let is_flushed = publisher.own_long()?.desk.with(|it| it.flush(duration(timeout_ns)))?;
        Ok(c_int::from(is_flushed))
    }

    fn rw_publisher_unbind(publisher: Handle<rw_publisher>) {
        publisher.own()?.desk.with(|_| ())?;
        publisher.unbind();
        Ok(OK)
    }
}
