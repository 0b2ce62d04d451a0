//! The bpf64 playground: a Yew page around `bpf64_core`.
use wasm_bindgen::prelude::*;
use yew::prelude::*;

#[function_component(App)]
fn app() -> Html {
    html! { <main>{ "bpf64" }</main> }
}

/// Called by the page's boot script once the module is there.
#[wasm_bindgen(start)]
pub fn start() {
    console_error_panic_hook::set_once();
    yew::Renderer::<App>::new().render();
}
