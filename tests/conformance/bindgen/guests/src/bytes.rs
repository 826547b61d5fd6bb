//! Versions up to 0.1.11 return the bytes of a text or vector, so each argument comes back as text.

#[cfg(feature = "build_run")]
use wasmedge_bindgen_macro::build_run as wasmedge_bindgen;
#[cfg(not(feature = "build_run"))]
use wasmedge_bindgen_macro::wasmedge_bindgen;

macro_rules! same {
    ($($name:ident $names:ident $type:ident)*) => {$(
        #[wasmedge_bindgen]
        pub fn $name(value: $type) -> Result<String, String> {
            Ok(value.to_string())
        }

        #[wasmedge_bindgen]
        pub fn $names(values: Vec<$type>) -> Result<String, String> {
            Ok(format!("{:?}", values).replace(' ', ""))
        }
    )*};
}

macro_rules! same_alone {
    ($($name:ident $type:ident)*) => {$(
        #[wasmedge_bindgen]
        pub fn $name(value: $type) -> Result<String, String> {
            Ok(format!("{:?}", value).trim_matches('\'').to_owned())
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
    same_bool bool
    same_char char
}
