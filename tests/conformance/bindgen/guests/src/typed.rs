//! Versions from 0.1.12 return values of the types that they take, also several.

use wasmedge_bindgen_macro::wasmedge_bindgen;

macro_rules! same {
    ($($name:ident $names:ident $type:ident)*) => {$(
        #[wasmedge_bindgen]
        pub fn $name(value: $type) -> $type {
            value
        }

        #[wasmedge_bindgen]
        pub fn $names(values: Vec<$type>) -> Vec<$type> {
            values
        }
    )*};
}

macro_rules! same_alone {
    ($($name:ident $type:ident)*) => {$(
        #[wasmedge_bindgen]
        pub fn $name(value: $type) -> $type {
            value
        }
    )*};
}

same! {
    same_u8 same_u8s u8
    same_i8 same_i8s i8
    same_u16 same_u16s u16
    same_i16 same_i16s i16
    same_u32 same_u32s u32
    same_i32 same_i32s i32
    same_u64 same_u64s u64
    same_i64 same_i64s i64
}

same_alone! {
    same_f32 f32
    same_f64 f64
}

#[cfg(feature = "letters")]
same_alone! {
    same_bool bool
    same_char char
}

#[cfg(not(feature = "letters"))]
#[wasmedge_bindgen]
pub fn same_bool(value: bool) -> String {
    value.to_string()
}

#[cfg(not(feature = "letters"))]
#[wasmedge_bindgen]
pub fn same_char(value: char) -> String {
    value.to_string()
}

#[wasmedge_bindgen]
pub fn nothing(_text: String) {}

#[wasmedge_bindgen]
pub fn no_value(_text: String) -> Result<(), String> {
    Ok(())
}

#[wasmedge_bindgen]
pub fn several(text: String, numbers: Vec<u16>) -> (String, Vec<u16>, Vec<u8>, i64, f64) {
    let bytes = text.clone().into_bytes();
    (text, numbers, bytes, i64::MIN, 0.5)
}

#[wasmedge_bindgen]
pub fn several_or_fail(text: String, flag: bool) -> Result<(String, u8), String> {
    if flag {
        Ok((text, 7))
    } else {
        Err("told to fail".to_owned())
    }
}
