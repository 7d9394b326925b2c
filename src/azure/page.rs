//! Reads one page of a listing while it arrives: a page may be megabytes, an item is some
//! kilobytes, and what a pass keeps of an item is some dozen bytes.

use std::marker::PhantomData;

use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer};

/// One page, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// The items that were understood.
    pub items: Vec<T>,
    /// What is wrong with an item that was not.
    pub odd: Option<String>,
    /// The next page, absent or empty on the last.
    pub next_link: Option<String>,
}

/// Takes a page in pieces, however they are cut. Items are decoded one by one, as `W`, so that an
/// odd one spoils only itself, and kept as `T`.
///
/// The items are cut out of the text by their brackets and quotes alone. What is left, with a `0`
/// in each item's place, is a small JSON document that is judged like any other: so a page that is
/// no JSON, has no `value`, or ends early is refused whatever its items were.
#[derive(Debug)]
pub struct PageReader<W, T = W> {
    items: Vec<T>,
    odd: Option<String>,
    taken: usize,
    bytes: usize,
    frame: Vec<u8>,
    item: Vec<u8>,
    state: State,
    wire: PhantomData<fn() -> W>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Outside the list of items.
    Frame {
        depth: usize,
        /// Where the last text at the document's top level began in the frame.
        text_from: usize,
        in_text: Option<Text>,
        /// What the document's top level has last told.
        said: Said,
    },
    /// Between items.
    List,
    Item(Item),
}

/// How far the frame's top level is on the way to `"value":[`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Said {
    Value,
    ValueColon,
    Other,
}

/// Inside a text: whether the next character is escaped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Text {
    Plain,
    Escape,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Item {
    /// An object or a list, this deep.
    Nested {
        depth: usize,
        in_text: Option<Text>,
    },
    Text(Text),
    /// A number, or a word.
    Word,
}

const OPEN: State = State::Frame {
    depth: 0,
    text_from: 0,
    in_text: None,
    said: Said::Other,
};

impl<W, T> Default for PageReader<W, T> {
    fn default() -> Self {
        Self {
            items: Vec::new(),
            odd: None,
            taken: 0,
            bytes: 0,
            frame: Vec::new(),
            item: Vec::new(),
            state: OPEN,
            wire: PhantomData,
        }
    }
}

impl<W: DeserializeOwned, T: From<W>> PageReader<W, T> {
    /// Takes the next piece.
    pub fn feed(&mut self, mut piece: &[u8]) {
        self.bytes = self.bytes.saturating_add(piece.len());
        while let Some(&first) = piece.first() {
            let used = match self.state {
                State::Frame { .. } => self.outside(piece),
                State::List => self.between(first),
                State::Item(item) => self.inside(item, piece),
            };
            piece = piece.get(used..).unwrap_or_default();
        }
    }

    /// How many bytes it has taken.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Reads a page that is there as a whole, in pieces as TLS cuts them.
    ///
    /// # Errors
    ///
    /// As [`Self::finish`].
    pub fn read(whole: &[u8]) -> Result<Page<T>, serde_json::Error> {
        let mut reader = Self::default();
        for piece in whole.chunks(16 * 1024) {
            reader.feed(piece);
        }
        reader.finish()
    }

    /// Ends the page.
    ///
    /// # Errors
    ///
    /// It is not a JSON object with a `value` that is a list.
    pub fn finish(self) -> Result<Page<T>, serde_json::Error> {
        // serde would take `[[],null]` for the fields in their order: an empty page.
        if self.frame.trim_ascii_start().first() != Some(&b'{') {
            return Err(serde_json::Error::custom("it is no JSON object"));
        }
        let frame: Frame = serde_json::from_slice(&self.frame)?;
        // A list that was not cut out has its items in the frame, where they are no zeros.
        if frame.value.len() != self.taken {
            return Err(serde_json::Error::custom(
                "its `value` cannot be told apart",
            ));
        }
        Ok(Page {
            items: self.items,
            odd: self.odd,
            next_link: frame.next_link,
        })
    }

    /// Outside the list: everything is kept, until a list begins at `value`.
    fn outside(&mut self, piece: &[u8]) -> usize {
        let State::Frame {
            mut depth,
            mut text_from,
            mut in_text,
            mut said,
        } = self.state
        else {
            return 0;
        };
        for (place, &byte) in piece.iter().enumerate() {
            self.frame.push(byte);
            if let Some(text) = in_text {
                in_text = match (text, byte) {
                    (Text::Escape, _) => Some(Text::Plain),
                    (Text::Plain, b'\\') => Some(Text::Escape),
                    (Text::Plain, b'"') => None,
                    (Text::Plain, _) => Some(Text::Plain),
                };
                if in_text.is_none() {
                    said = match self.frame.get(text_from..) {
                        Some(b"\"value\"") if depth == 1 => Said::Value,
                        _ => Said::Other,
                    };
                }
                continue;
            }
            match byte {
                b'"' => {
                    in_text = Some(Text::Plain);
                    text_from = self.frame.len() - 1;
                }
                b' ' | b'\t' | b'\r' | b'\n' => {
                    // Of many blanks one stays: two words must not become one.
                    self.frame.pop();
                    if self.frame.last() != Some(&b' ') {
                        self.frame.push(b' ');
                    }
                }
                b':' if said == Said::Value => said = Said::ValueColon,
                b'[' if depth == 1 && said == Said::ValueColon => {
                    self.state = State::List;
                    return place + 1;
                }
                b'{' | b'[' => (depth, said) = (depth + 1, Said::Other),
                b'}' | b']' => (depth, said) = (depth.saturating_sub(1), Said::Other),
                _ => said = Said::Other,
            }
        }
        self.state = State::Frame {
            depth,
            text_from,
            in_text,
            said,
        };
        piece.len()
    }

    /// Between items: one character.
    fn between(&mut self, byte: u8) -> usize {
        self.state = match byte {
            b' ' | b'\t' | b'\r' | b'\n' => return 1,
            b',' => {
                self.frame.push(byte);
                return 1;
            }
            b']' => {
                self.frame.push(byte);
                self.state = OPEN;
                if let State::Frame { depth, .. } = &mut self.state {
                    *depth = 1;
                }
                return 1;
            }
            b'{' | b'[' => State::Item(Item::Nested {
                depth: 0,
                in_text: None,
            }),
            b'"' => {
                self.item.push(byte);
                self.state = State::Item(Item::Text(Text::Plain));
                self.frame.push(b'0');
                return 1;
            }
            _ => State::Item(Item::Word),
        };
        self.frame.push(b'0');
        0
    }

    /// Inside an item: up to its end, or all there is.
    fn inside(&mut self, item: Item, piece: &[u8]) -> usize {
        let begins = self.item.is_empty() && matches!(item, Item::Nested { depth: 0, .. });
        if let Some(end) = begins.then(|| self.take_whole(piece)).flatten() {
            self.state = State::List;
            return end;
        }
        match end_of(item, piece) {
            Ok(end) => {
                let last = piece.get(..end).unwrap_or_default();
                if self.item.is_empty() {
                    self.take(last);
                } else {
                    let mut whole = std::mem::take(&mut self.item);
                    whole.extend_from_slice(last);
                    self.take(&whole);
                    whole.clear();
                    self.item = whole;
                }
                self.state = State::List;
                end
            }
            Err(item) => {
                self.item.extend_from_slice(piece);
                self.state = State::Item(item);
                piece.len()
            }
        }
    }

    /// Decodes an item that is whole in this piece, as most are, without looking for its end first.
    fn take_whole(&mut self, piece: &[u8]) -> Option<usize> {
        let mut items = serde_json::Deserializer::from_slice(piece).into_iter::<W>();
        let item = items.next()?.ok()?;
        self.taken += 1;
        self.items.push(item.into());
        Some(items.byte_offset())
    }

    fn take(&mut self, item: &[u8]) {
        self.taken += 1;
        match serde_json::from_slice::<W>(item) {
            Ok(item) => self.items.push(item.into()),
            Err(error) => {
                self.odd.get_or_insert_with(|| error.to_string());
            }
        }
    }
}

/// Where an item ends in a piece, or how far it has come with all of it.
fn end_of(mut item: Item, piece: &[u8]) -> Result<usize, Item> {
    let mut place = 0;
    while let Some(&byte) = piece.get(place) {
        place += 1;
        match &mut item {
            Item::Nested { depth, in_text } => match (&in_text, byte) {
                (Some(Text::Escape), _) => *in_text = Some(Text::Plain),
                (Some(Text::Plain), b'\\') => *in_text = Some(Text::Escape),
                (Some(Text::Plain), b'"') => *in_text = None,
                (Some(Text::Plain), _) => {
                    // Most of a page is text.
                    let rest = piece.get(place..).unwrap_or_default();
                    let plain = rest.iter().position(|byte| matches!(byte, b'"' | b'\\'));
                    place += plain.unwrap_or(rest.len());
                }
                (None, b'"') => *in_text = Some(Text::Plain),
                (None, b'{' | b'[') => *depth += 1,
                (None, b'}' | b']') => {
                    *depth = depth.saturating_sub(1);
                    if *depth == 0 {
                        return Ok(place);
                    }
                }
                (None, _) => {}
            },
            Item::Text(text) => match (&text, byte) {
                (Text::Escape, _) => *text = Text::Plain,
                (Text::Plain, b'\\') => *text = Text::Escape,
                (Text::Plain, b'"') => return Ok(place),
                (Text::Plain, _) => {}
            },
            Item::Word => {
                if matches!(byte, b',' | b']' | b' ' | b'\t' | b'\r' | b'\n') {
                    return Ok(place - 1);
                }
            }
        }
    }
    Err(item)
}

/// What is left of a page without its items.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Frame {
    value: Vec<Zero>,
    next_link: Option<String>,
}

/// Stands in an item's place.
struct Zero;

impl<'de> Deserialize<'de> for Zero {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match u8::deserialize(deserializer)? {
            0 => Ok(Self),
            _ => Err(D::Error::custom("an item where none can be")),
        }
    }
}

#[cfg(test)]
mod tests;
