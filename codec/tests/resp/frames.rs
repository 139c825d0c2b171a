//! What a connection gets: replies in order, pushes by themselves, attributes nowhere.

use ringwire_codec::resp::{FrameReader, ITEMS_MAX, Limits, Token, encode};

use crate::feed::frames_every_way;
use Token::{Array, Attribute, Bulk, Chunk, End, Integer, Map, Null, Push, Simple, StreamedString};

#[test]
fn scalars_have_no_items() {
    let frames = frames_every_way(b":1\r\n+OK\r\n$2\r\nhi\r\n_\r\n:1234567\r\n*0\r\n");
    let heads: Vec<_> = frames.iter().map(|frame| (frame.head, frame.item_count, frame.len)).collect();
    let expected = [
        (Integer(1), 0, 4),
        (Simple(b"OK"), 0, 5),
        (Bulk(b"hi"), 0, 8),
        (Null, 0, 3),
        (Integer(1_234_567), 0, 10),
        (Array(Some(0)), 0, 4),
    ];
    assert_eq!(heads, expected);
}

#[test]
fn messages() {
    let input = b">3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$2\r\n\r\n\r\n>4\r\n$8\r\npmessage\r\n$1\r\n*\r\n$1\r\nc\r\n$0\r\n\r\n";
    let [message, pmessage] = &frames_every_way(input)[..] else { panic!("two frames") };
    assert_eq!((message.head, message.nested, message.len), (Push(Some(3)), false, 32));
    assert_eq!(message.items, [Bulk(b"message"), Bulk(b"c"), Bulk(b"\r\n")]);
    assert_eq!((pmessage.head, pmessage.len), (Push(Some(4)), input.len() - 32));
    assert_eq!(pmessage.items, [Bulk(b"pmessage"), Bulk(b"*"), Bulk(b"c"), Bulk(b"")]);
}

#[test]
fn items_are_the_elements_of_the_first_level() {
    let frames = frames_every_way(b"*4\r\n:1\r\n*2\r\n:2\r\n:3\r\n%1\r\n+k\r\n~0\r\n:-4\r\n");
    assert_eq!(frames[0].items, [Integer(1), Array(Some(2)), Map(Some(1)), Integer(-4)]);
    assert_eq!(frames[0].item_count, 4);
    assert_eq!(frames[0].tokens.len(), 9);
}

#[test]
fn items_beyond_the_noted_ones_are_counted_and_walked() {
    let mut input = Vec::new();
    encode::map(&mut input, 7);
    for (key, value) in [
        ("server", "redis"),
        ("version", "7.0.15"),
        ("proto", "3"),
        ("id", "4"),
        ("mode", "x"),
        ("role", "master"),
    ] {
        encode::bulk(&mut input, key.as_bytes());
        encode::bulk(&mut input, value.as_bytes());
    }
    encode::bulk(&mut input, b"modules");
    encode::array(&mut input, 0);
    let frames = frames_every_way(&input);
    assert_eq!(frames[0].head, Map(Some(7)));
    assert_eq!(frames[0].item_count, 14);
    assert_eq!(frames[0].items.len(), ITEMS_MAX);
    assert_eq!(frames[0].items[1], Bulk(b"redis"));
    let role = frames[0].tokens.iter().position(|token| *token == Bulk(b"role")).unwrap();
    assert_eq!(frames[0].tokens[role + 1], Bulk(b"master"));
    assert_eq!(frames[0].tokens.last(), Some(&Array(Some(0))));
}

#[test]
fn attributes_are_skipped_everywhere() {
    let input = b"|1\r\n+ttl\r\n*1\r\n:3\r\n*2\r\n|2\r\n+a\r\n+b\r\n|1\r\n:1\r\n:2\r\n:3\r\n:4\r\n:5\r\n|0\r\n:6\r\n:7\r\n";
    let [array, integer] = &frames_every_way(input)[..] else { panic!("two frames") };
    assert_eq!((array.head, array.item_count), (Array(Some(2)), 2));
    assert_eq!(array.items, [Integer(5), Integer(6)]);
    assert_eq!(array.tokens, [Array(Some(2)), Integer(5), Integer(6)]);
    assert!(array.tokens.iter().all(|token| !matches!(token, Attribute(_))));
    assert_eq!(integer.head, Integer(7));
}

#[test]
fn a_push_inside_a_frame_comes_first_and_by_itself() {
    let input = b"*3\r\n:1\r\n>2\r\n+invalidate\r\n*1\r\n+k\r\n:2\r\n:3\r\n:4\r\n";
    let [push, array, integer] = &frames_every_way(input)[..] else { panic!("three frames") };
    assert_eq!((push.head, push.nested, push.len), (Push(Some(2)), true, 0));
    assert_eq!(push.items, [Simple(b"invalidate"), Array(Some(1))]);
    assert_eq!(push.bytes, b">2\r\n+invalidate\r\n*1\r\n+k\r\n");
    assert_eq!(array.items, [Integer(1), Integer(2), Integer(3)]);
    assert_eq!((array.nested, array.len), (false, input.len() - 4));
    assert_eq!(array.tokens, [Array(Some(3)), Integer(1), Integer(2), Integer(3)]);
    assert_eq!(integer.head, Integer(4));
}

#[test]
fn pushes_nest_in_pushes_attributes_maps_and_streams() {
    // In another push: the inner one is complete first.
    let frames = frames_every_way(b">2\r\n+outer\r\n>2\r\n+inner\r\n>0\r\n:1\r\n:2\r\n");
    let heads: Vec<_> = frames.iter().map(|frame| (frame.head, frame.nested, &frame.items[..])).collect();
    assert_eq!(
        heads,
        [
            (Push(Some(0)), true, &[][..]),
            (Push(Some(2)), true, &[Simple(b"inner"), Integer(1)]),
            (Push(Some(2)), false, &[Simple(b"outer"), Integer(2)]),
        ]
    );
    for input in [
        &b"|1\r\n>1\r\n+p\r\n+k\r\n+v\r\n:9\r\n"[..],
        b"%1\r\n+k\r\n>1\r\n+p\r\n*1\r\n:9\r\n",
        b"*?\r\n:9\r\n>1\r\n+p\r\n.\r\n",
        b"*1\r\n|1\r\n+k\r\n>1\r\n+p\r\n+v\r\n:9\r\n",
        b"*1\r\n|0\r\n>1\r\n+p\r\n:9\r\n",
    ] {
        let [push, outer] = &frames_every_way(input)[..] else { panic!("two frames") };
        assert_eq!((push.items.as_slice(), push.nested), (&[Simple(b"p")][..], true));
        assert!(!outer.nested && outer.tokens.contains(&Integer(9)), "{outer:?}");
        assert!(!outer.tokens.contains(&Simple(b"p")), "{outer:?}");
        assert_eq!(outer.len, input.len());
    }
}

#[test]
fn streamed_frames() {
    let frames =
        frames_every_way(b"*?\r\n:1\r\n$?\r\n;1\r\na\r\n;0\r\n.\r\n$?\r\n;2\r\nab\r\n;1\r\nc\r\n;0\r\n");
    assert_eq!((frames[0].head, frames[0].item_count), (Array(None), 2));
    assert_eq!(frames[0].items, [Integer(1), StreamedString]);
    assert_eq!(frames[0].tokens, [Array(None), Integer(1), StreamedString, Chunk(b"a"), End, End]);
    assert_eq!((frames[1].head, frames[1].item_count), (StreamedString, 2));
    assert_eq!(frames[1].items, [Chunk(b"ab"), Chunk(b"c")]);
}

#[test]
fn a_million_elements() {
    let count = 1_000_000;
    let mut input = Vec::new();
    encode::array(&mut input, count);
    for value in 0..count as i64 {
        encode::integer(&mut input, value);
    }
    let mut reader = FrameReader::new(Limits::default());
    // In pieces of a receive buffer's size.
    for arrived in (0..input.len()).step_by(64 << 10) {
        assert!(reader.next(&input[..arrived]).unwrap().is_none());
    }
    let frame = reader.next(&input).unwrap().unwrap();
    assert_eq!((frame.item_count(), frame.len()), (count, input.len()));
    assert_eq!(frame.item(ITEMS_MAX - 1), Some(Integer(ITEMS_MAX as i64 - 1)));
    assert_eq!(frame.item(ITEMS_MAX), None);
    assert_eq!(frame.tokens().last(), Some(Integer(count as i64 - 1)));
}

#[test]
fn wanted_tells_how_much_to_receive() {
    let mut reader = FrameReader::new(Limits::default());
    assert_eq!(reader.wanted(), 1);
    assert!(reader.next(b"").unwrap().is_none());
    assert_eq!(reader.wanted(), 1);
    assert!(reader.next(b"*2\r\n:1\r\n$1000\r\nabc").unwrap().is_none());
    assert_eq!(reader.wanted(), 8 + 7 + 1000 + 2);
    reader.reset();
    assert_eq!(reader.wanted(), 1);
    assert!(reader.next(b":1\r\n").unwrap().is_some());
    assert_eq!(reader.wanted(), 1);
}

/// What is read in one look is what is read byte by byte, also where one byte of it is another.
#[test]
fn a_reply_of_one_digit_and_its_neighbours() {
    let mut inputs: Vec<[u8; 4]> = (b'0'..=b'9').map(|digit| [b':', digit, b'\r', b'\n']).collect();
    for digit in [b'0', b'9'] {
        for at in 0..4 {
            inputs.extend((0..=u8::MAX).map(|byte| {
                let mut input = [b':', digit, b'\r', b'\n'];
                input[at] = byte;
                input
            }));
        }
    }
    for input in inputs {
        let mut whole = FrameReader::new(Limits::default());
        let mut split = FrameReader::new(Limits::default());
        let (_, first) = (whole.next(b""), split.next(&input[..1]).map(|frame| frame.is_some()));
        let whole = whole.next(&input).map(|frame| frame.map(|it| (format!("{:?}", it.head()), it.len())));
        let split = split.next(&input).map(|frame| frame.map(|it| (format!("{:?}", it.head()), it.len())));
        assert_eq!(whole, split, "{:?}, {first:?}", input.escape_ascii().to_string());
    }
}
