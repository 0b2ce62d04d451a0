//! What the text says of keys and values, `.key` and `.value`, as types of tables.

use crate::btf::{Btf, Field, Form, Id, MAX_PARTS};
use crate::count::Count;
use crate::diagnostic::{Diagnostic, nearest};
use crate::isa::text::{Declarations, LayoutText, PartText};
use crate::maps::{MapDef, Types};
use std::rc::Rc;

/// The tables with the types that the text says.
pub(super) fn with_types(
    mut maps: Vec<MapDef>,
    declared: &Declarations,
    faults: &mut Vec<Diagnostic>,
) -> Vec<MapDef> {
    if declared.layouts.is_empty() {
        return maps;
    }
    let mut btf = Btf::empty();
    let mut types: Vec<(usize, bool, Id)> = Vec::new();
    for layout in &declared.layouts {
        let Some(at) = maps.iter().position(|def| def.name == layout.map.0) else {
            let known = || declared.maps.iter().map(|map| map.name.0.as_str());
            // A table that is declared wrongly is told of where that is.
            if !known().any(|name| name == layout.map.0) {
                let fault =
                    Diagnostic::new(layout.map.1.clone(), format!("there is no map `{}`", layout.map.0));
                faults.push(match nearest(&layout.map.0, known()) {
                    Some(near) => fault.help(format!("did you mean `{near}`?")),
                    None => fault.help("declare it with `.map`"),
                });
            }
            continue;
        };
        let size = if layout.of_key { maps[at].key_size } else { maps[at].value_size };
        match fields(layout, size) {
            Ok(fields) => types.push((at, layout.of_key, btf.add(size, &fields))),
            Err(fault) => faults.push(fault),
        }
    }
    let btf = Rc::new(btf);
    for (at, def) in maps.iter_mut().enumerate() {
        let of = |key: bool| types.iter().find(|known| (known.0, known.1) == (at, key)).map(|known| known.2);
        let (key, value) = (of(true), of(false));
        if key.or(value).is_some() {
            let (key, value) = (key.unwrap_or_default(), value.unwrap_or_default());
            def.types = Some(Rc::new(Types { btf: Rc::clone(&btf), key, value }));
        }
    }
    maps
}

fn fields(layout: &LayoutText, size: u32) -> Result<Vec<Field>, Diagnostic> {
    if layout.fields.len() > MAX_PARTS {
        return Err(Diagnostic::new(layout.map.1.clone(), format!("there may be {MAX_PARTS} fields")));
    }
    layout.fields.iter().map(|part| field(part, size)).collect()
}

fn field(part: &PartText, size: u32) -> Result<Field, Diagnostic> {
    let PartText { form: (word, span), name: (name, place), count, offset, bit, bits, names } = part;
    let Some((form, whole)) = Field::form(word) else {
        let known: Vec<&str> = Field::words().collect();
        let fault = Diagnostic::new(span.clone(), format!("a field is no `{word}`"));
        return Err(fault.help(format!("it is one of {}", known.join(", "))));
    };
    let wrong = |message: String| Err(Diagnostic::new(place.clone(), message));
    let bits = bits.unwrap_or(whole);
    if !(1..=whole).contains(&bits) || *bit > 7 {
        return wrong(format!("`{word}` has 1 to {whole} bits, from bit 0 to 7 of its first byte"));
    }
    let plain = bits == whole && *bit == 0;
    if count.is_some() && !plain || form == Form::Text && count.is_none() {
        return wrong("an array is of whole numbers, and a text is an array of `char`".to_owned());
    }
    let form = if names.is_empty() { form } else { Form::Named(names.clone()) };
    let name = if name == "_" { String::new() } else { name.clone() };
    let first_bit = offset.checked_mul(8).and_then(|first| first.checked_add(*bit));
    let field = first_bit.map(|first_bit| Field { name, first_bit, bits, form, count: *count });
    match field.filter(|field| field.end() <= u64::from(size) * 8) {
        Some(field) => Ok(field),
        None => wrong(format!("the field ends behind the {} that there are", Count(size as usize, "byte"))),
    }
}

#[cfg(test)]
mod tests {
    use crate::environment::SOCKET_FILTER;
    use crate::listing::{Listing, Style};
    use crate::load::{Request, load};

    #[test]
    fn keys_and_values_are_as_the_text_says() {
        let text = ".map flows hash key=8 value=24 max=4
.key flows { u8 protocol @0; u16 ports[2] @2; u8 tagged @7 +7 :1 }
.value flows {
    u64 packets @0;
    s16 last @8 (NEW=0|GONE=-1); char name[4] @12
    ; u16 peers[0].port @20
}
.map plain hash key=4 value=8 max=1
.value plain { u64 _ @0 }
r0 = 0
exit
";
        let loaded =
            load(text.as_bytes(), &Request::default()).unwrap_or_else(|faults| panic!("{}", faults[0]));
        let program = loaded.ebpf();
        let flows = &program.maps()[0];
        assert_eq!(
            flows.key_text(&[6, 0, 1, 0, 2, 0, 0, 0x80]),
            "{.protocol = 6, .ports = {1, 2}, .tagged = 1}"
        );
        let mut value = [0; 24];
        value[8..16].copy_from_slice(&[0xff, 0xff, 0, 0, b'e', b't', b'h', 0]);
        let shown = "{.packets = 0, .last = GONE, .name = \"eth\", .peers[0].port = 0}";
        assert_eq!(flows.value_text(&value), shown);
        // The listing says the same.
        let listing = Listing {
            program: &program,
            program_type: &(&SOCKET_FILTER).into(),
            style: Style::Kernel,
            source: false,
            others: &[],
        };
        let again = load(listing.to_string().as_bytes(), &Request::default())
            .unwrap_or_else(|faults| panic!("{}", faults[0]));
        assert_eq!(again.ebpf().maps()[0].value_text(&value), shown);
        assert_eq!(listing.head().lines().count(), 4, "{}", listing.head());
    }

    #[test]
    fn faults_are_told_in_their_places() {
        for (declaration, place) in [
            (".key nothing { u8 a @0 }", "nothing"),
            (".key m { u9 a @0 }", "u9"),
            (".key m { u8 a @4 }", "a"),
            (".key m { u32 a @1 }", "a"),
            (".key m { u8 a @4294967295 }", "a"),
            (".key m { char a @0 }", "a"),
            (".key m { u8 a @0 :9 }", "a"),
            (".key m { u8 a @0 :0 }", "a"),
            (".key m { u8 a[2] @0 +1 }", "a"),
            (".key m { u32 a[4294967295] @0 }", "a"),
            (".key m { u8 a }", "}"),
            (".key m { u8 a @0 (ONE) }", ")"),
            (".key m u8 }", "u8"),
        ] {
            let text = format!(".map m hash key=4 value=4 max=1\n{declaration}\nr0 = 0\nexit\n");
            let faults = load(text.as_bytes(), &Request::default()).map(|_| ()).expect_err(declaration);
            assert_eq!(&text[faults[0].span.clone()], place, "{declaration}: {}", faults[0]);
        }
    }
}
