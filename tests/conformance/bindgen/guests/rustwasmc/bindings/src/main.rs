//! Do what rustwasmc does after the compiler: `bindings MODULE FOLDER` writes `FOLDER/guest_bg.wasm`.

fn main() {
    let mut paths = std::env::args().skip(1);
    let mut bindings = wasm_bindgen_cli_support::Bindgen::new();
    bindings.nodejs(true).unwrap().typescript(false).input_path(paths.next().unwrap());
    bindings.generate(paths.next().unwrap()).unwrap();
}
