//! Rust text as far as the rules need it: comments out, literals told apart, words with their lines.
//!
//! ```text
//!   "text"  b"text"  r#"text"#  'c'     Token::Literal
//!   name  r#name  'lifetime             Token::Word
//!   everything else                     Token::Mark, one character each
//! ```

/// A token and the line it begins in, from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Placed {
    pub(crate) line: usize,
    pub(crate) token: Token,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Token {
    Word(String),
    /// What stands between the quotes.
    Literal(String),
    Mark(char),
}

impl Placed {
    pub(crate) fn is_word(&self, word: &str) -> bool {
        matches!(&self.token, Token::Word(found) if found == word)
    }

    pub(crate) fn is_mark(&self, mark: char) -> bool {
        self.token == Token::Mark(mark)
    }
}

/// The tokens of a file without its comments.
pub(crate) fn tokens(text: &str) -> Vec<Placed> {
    let chars = text.chars().collect();
    let mut reader = Reader { chars, at: 0, line: 1, found: Vec::new() };
    while reader.at < reader.chars.len() {
        reader.step();
    }
    reader.found
}

struct Reader {
    chars: Vec<char>,
    at: usize,
    line: usize,
    found: Vec<Placed>,
}

impl Reader {
    fn peek(&self, ahead: usize) -> Option<char> {
        self.chars.get(self.at + ahead).copied()
    }

    fn next(&mut self) -> Option<char> {
        let next = self.peek(0)?;
        self.at += 1;
        self.line += usize::from(next == '\n');
        Some(next)
    }

    fn skip(&mut self, count: usize) {
        for _ in 0..count {
            self.next();
        }
    }

    fn push(&mut self, line: usize, token: Token) {
        self.found.push(Placed { line, token });
    }

    fn step(&mut self) {
        let line = self.line;
        match (self.peek(0), self.peek(1)) {
            (Some('/'), Some('/')) => {
                while self.peek(0).is_some_and(|next| next != '\n') {
                    self.next();
                }
            }
            (Some('/'), Some('*')) => self.block_comment(),
            (Some('"'), _) => {
                self.next();
                let text = self.quoted();
                self.push(line, Token::Literal(text));
            }
            (Some('\''), next) => self.tick(line, next),
            (Some(first), _) if first == '_' || first.is_alphanumeric() => self.word(line),
            (Some(first), _) => {
                self.next();
                if !first.is_whitespace() {
                    self.push(line, Token::Mark(first));
                }
            }
            (None, _) => {}
        }
    }

    /// Block comments nest.
    fn block_comment(&mut self) {
        let mut depth = 0;
        loop {
            match (self.peek(0), self.peek(1)) {
                (Some('/'), Some('*')) => depth += 1,
                (Some('*'), Some('/')) => depth -= 1,
                (None, _) => return,
                _ => {
                    self.next();
                    continue;
                }
            }
            self.skip(2);
            if depth == 0 {
                return;
            }
        }
    }

    /// Behind the opening quote, to behind the closing one.
    fn quoted(&mut self) -> String {
        let mut text = String::new();
        while let Some(next) = self.next() {
            match next {
                '"' => break,
                '\\' => text.extend(self.next()),
                other => text.push(other),
            }
        }
        text
    }

    /// A character, or a lifetime.
    fn tick(&mut self, line: usize, next: Option<char>) {
        self.next();
        let is_char = next == Some('\\') || self.peek(1) == Some('\'');
        if !is_char {
            self.word(line);
            return;
        }
        let mut text = String::new();
        while let Some(next) = self.next() {
            match next {
                '\'' if !text.is_empty() => break,
                '\\' => {
                    text.push(next);
                    text.extend(self.next());
                }
                other => text.push(other),
            }
        }
        self.push(line, Token::Literal(text));
    }

    fn word(&mut self, line: usize) {
        let mut word = String::new();
        while let Some(next) = self.peek(0).filter(|next| *next == '_' || next.is_alphanumeric()) {
            word.push(next);
            self.next();
        }
        let is_prefix = matches!(word.as_str(), "b" | "r" | "br" | "c" | "cr");
        let hashes = self.chars[self.at..].iter().take_while(|next| **next == '#').count();
        let is_raw = word.ends_with('r') && self.peek(hashes) == Some('"');
        if is_prefix && is_raw {
            self.skip(hashes + 1);
            let text = self.raw(hashes);
            self.push(line, Token::Literal(text));
        } else if is_prefix && matches!(self.peek(0), Some('"' | '\'')) {
            // The literal is the next token; its prefix means nothing here.
        } else {
            self.push(line, Token::Word(word));
        }
    }

    /// Behind the opening quote of a raw string, to behind its last hash.
    fn raw(&mut self, hashes: usize) -> String {
        let mut text = String::new();
        while let Some(next) = self.next() {
            let closes = next == '"' && (0..hashes).all(|ahead| self.peek(ahead) == Some('#'));
            if closes {
                self.skip(hashes);
                break;
            }
            text.push(next);
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Words as they are, literals in quotes, marks as they are; blanks between.
    fn shown(text: &str) -> String {
        let tokens = tokens(text).into_iter().map(|placed| match placed.token {
            Token::Word(word) => word,
            Token::Literal(text) => format!("<{text}>"),
            Token::Mark(mark) => mark.to_string(),
        });
        tokens.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn comments_are_out_and_literals_apart() {
        let check = |text: &str, expected: &str| assert_eq!(shown(text), expected, "{text}");
        check("a // unsafe\nb", "a b");
        check("a /* x /* unsafe */ y */ b", "a b");
        check("/// unsafe\n//! unsafe\nfn", "fn");
        check("\"// no comment\" x", "<// no comment> x");
        check(r#""a\"b" c"#, "<a\"b> c");
        check("r#\"a\"b\"# c", "<a\"b> c");
        check("b\"x\" br\"y\" c\"z\"", "<x> <y> <z>");
        check("'a' '\\'' '\"' 'static b'x'", "<a> <\\'> <\"> static <x>");
        check("std::io", "std : : io");
        check("r#unsafe", "r # unsafe");
        check("unclosed /* to the end", "unclosed");
        check("\"unclosed", "<unclosed>");
    }

    #[test]
    fn lines_are_counted_through_everything() {
        let found = tokens("/* 1\n2 */ \"3\n4\" x\n// 5\ny");
        let lines: Vec<usize> = found.iter().map(|placed| placed.line).collect();
        assert_eq!(lines, [2, 3, 5]);
    }
}
