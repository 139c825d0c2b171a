use ringwire_codec::resp::{FrameReader, Limits, Token};

#[test]
fn a_push_inside_an_array_comes_first() {
    let input = b"*2\r\n:1\r\n>2\r\n+a\r\n|1\r\n+k\r\n+v\r\n:9\r\n:2\r\n";
    let mut reader = FrameReader::new(Limits::default());
    let frame = reader.next(input).unwrap().unwrap();
    assert!(frame.nested());
    assert_eq!((frame.len(), frame.item_count()), (0, 2));
    assert_eq!(frame.item(1), Some(Token::Integer(9)));
    let frame = reader.next(input).unwrap().unwrap();
    assert_eq!(frame.len(), input.len());
    assert_eq!(frame.item(1), Some(Token::Integer(2)));
    assert_eq!(frame.tokens().count(), 3);
}
