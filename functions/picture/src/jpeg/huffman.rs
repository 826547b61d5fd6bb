//! Huffman codes of a JPEG's scans, and the bits that they are read from.

/// So many bits are looked up at once. Most codes fit in, with the bits of their value.
const LOOKUP_BITS: usize = 10;
const MAX_CODE_BITS: usize = 16;
/// A code and the bits of its value are never longer together.
const MAX_BITS: u32 = 32;

/// What a code stands for.
#[derive(Clone, Copy, Default)]
pub struct Value {
    /// 0 if the code has no value. In a table also 0 if the bits of the value are not looked up.
    pub value: i16,
    /// How many zeros precede the value, and how many bits it has.
    symbol: u8,
    /// Bits that were looked up; 0 if the code is too long for that.
    length: u8,
}

/// A table of codes, as a scan uses it.
pub struct Table {
    /// By the next `LOOKUP_BITS` bits.
    lookup: Box<[Value; 1 << LOOKUP_BITS]>,
    /// For each length, the lowest 16 bits that begin with no code of this length or less.
    ends: [u32; MAX_CODE_BITS + 1],
    /// For each length, what to add to a code for the index of its symbol.
    offsets: [i32; MAX_CODE_BITS + 1],
    symbols: Vec<u8>,
}

impl Table {
    /// Makes the codes from how many there are of each length, and from their symbols in order (T.81, C).
    ///
    /// `None` if there are more codes than a length allows.
    pub fn new(counts: &[u8; MAX_CODE_BITS], symbols: &[u8]) -> Option<Self> {
        let mut table = Self {
            lookup: Box::new([Value::default(); 1 << LOOKUP_BITS]),
            ends: [0; MAX_CODE_BITS + 1],
            offsets: [0; MAX_CODE_BITS + 1],
            symbols: symbols.to_vec(),
        };
        let (mut code, mut at) = (0_usize, 0_usize);
        for (length, &count) in (1..).zip(counts) {
            table.offsets[length] = at as i32 - code as i32;
            for &symbol in symbols.get(at..at + usize::from(count))? {
                table.add(code, length, symbol);
                code += 1;
            }
            at += usize::from(count);
            if code > 1 << length {
                return None;
            }
            table.ends[length] = (code << (MAX_CODE_BITS - length)) as u32;
            code <<= 1;
        }
        Some(table)
    }

    fn add(&mut self, code: usize, length: usize, symbol: u8) {
        if length > LOOKUP_BITS {
            return;
        }
        let spare = LOOKUP_BITS - length;
        let without_value = Value { value: 0, symbol, length: length as u8 };
        let size = without_value.size() as usize;
        for behind in 0..1 << spare {
            let mut value = without_value;
            if size > 0 && size <= spare {
                value.value = extend((behind >> (spare - size)) as u32, size as u32);
                value.length += size as u8;
            }
            if let Some(entry) = self.lookup.get_mut((code << spare) + behind) {
                *entry = value;
            }
        }
    }

    /// Finds a code that is too long for a lookup in the 16 bits that begin with it.
    #[cold]
    fn find(&self, bits: u32) -> Option<Value> {
        let length = (LOOKUP_BITS + 1..=MAX_CODE_BITS).find(|&length| bits < self.ends[length])?;
        let code = (bits >> (MAX_CODE_BITS - length)) as i32;
        let symbol = *self.symbols.get(usize::try_from(code + self.offsets[length]).ok()?)?;
        Some(Value { value: 0, symbol, length: length as u8 })
    }
}

impl Value {
    /// How many zeros precede the value.
    pub fn run(self) -> usize {
        usize::from(self.symbol >> 4)
    }

    fn size(self) -> u32 {
        u32::from(self.symbol & 15)
    }
}

/// A value from its bits (T.81, F.2.2.1).
fn extend(bits: u32, size: u32) -> i16 {
    let is_negative = bits >> (size - 1) == 0;
    (bits as i32 - if is_negative { (1 << size) - 1 } else { 0 }) as i16
}

/// The bits of a scan, and zeros from the next marker on.
///
/// Whoever reads a block works on a copy, which the compiler keeps in registers.
#[derive(Clone, Copy)]
pub struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
    /// The next `count` bits are the highest.
    bits: u64,
    count: u32,
}

impl<'a> Bits<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0, bits: 0, count: 0 }
    }

    /// Reads a code with its value; `None` if the bits begin with no code.
    #[inline(always)]
    pub fn value(&mut self, table: &Table) -> Option<Value> {
        if self.count < MAX_BITS {
            self.fill();
        }
        let mut found = table.lookup[self.peek(LOOKUP_BITS as u32) as usize];
        if found.length == 0 {
            found = table.find(self.peek(MAX_CODE_BITS as u32))?;
        }
        self.skip(found.length.into());
        if found.value == 0 && found.size() > 0 {
            found.value = extend(self.peek(found.size()), found.size());
            self.skip(found.size());
        }
        Some(found)
    }

    /// Continues behind a restart. `None` if the next marker is another, or too far away.
    pub fn restart(&mut self, number: u8) -> Option<()> {
        self.fill();
        match self.bytes.get(self.at..self.at + 2)? {
            [0xff, marker] if *marker == 0xd0 + number % 8 => {
                *self = Self { at: self.at + 2, ..Self::new(self.bytes) };
                Some(())
            }
            _ => None,
        }
    }

    /// Returns the bytes from the next marker on, with up to 8 bytes before it.
    pub fn rest(&self) -> &'a [u8] {
        &self.bytes[self.at..]
    }

    fn peek(&self, count: u32) -> u32 {
        (self.bits >> (64 - count)) as u32
    }

    fn skip(&mut self, count: u32) {
        self.bits <<= count;
        self.count -= count;
    }

    /// Makes 57 bits or more available.
    #[inline(always)]
    fn fill(&mut self) {
        let eight = self.bytes.get(self.at..self.at + 8);
        match eight.map(|eight| u64::from_be_bytes(eight.try_into().unwrap())) {
            Some(eight) if !super::has_ff(eight) => {
                self.bits |= eight >> self.count;
                let bytes = (63 - self.count) / 8;
                self.at += bytes as usize;
                self.count += 8 * bytes;
            }
            _ => *self = self.filled_bytewise(),
        }
    }

    #[cold]
    fn filled_bytewise(mut self) -> Self {
        while self.count <= 56 {
            let byte = match *self.bytes.get(self.at..).unwrap_or_default() {
                [0xff, 0, ..] => {
                    self.at += 2;
                    0xff
                }
                [0xff, ..] | [] => 0,
                [byte, ..] => {
                    self.at += 1;
                    byte
                }
            };
            self.bits |= u64::from(byte) << (56 - self.count);
            self.count += 8;
        }
        self
    }
}
