//! The order of a module's functions: like beside like.
//!
//! Which function stands where is all the same to a browser, but not to brotli: what resembles what came just before costs
//! little, and a stretch of functions of one kind has one code for its bytes. It is a fiftieth of what is downloaded.

use std::ops::Range;

use wasm_encoder::{Encode as _, NameMap, NameSection};
use wasmparser::{BinaryReaderError, Parser, Payload, TypeRef};

/// What two functions are compared by: the runs of so many bytes that both have.
const RUN: usize = size_of::<u32>();

/// A run that more functions have than this says nothing of any two.
const COMMON: usize = 1000;

/// The module, with a name for each of its functions: their alphabet is the order that they should stand in.
pub(super) fn named(module: &[u8]) -> Result<Vec<u8>, BinaryReaderError> {
    let (imported, bodies) = functions(module)?;
    let bodies: Vec<&[u8]> = bodies.into_iter().map(|range| &module[range]).collect();
    let mut places = vec![0; bodies.len()];
    for (place, function) in in_order(&bodies).into_iter().enumerate() {
        places[function] = place;
    }
    let mut names = NameMap::new();
    for (function, place) in (imported..).zip(places) {
        names.append(function, &format!("{place:07}"));
    }
    let mut section = NameSection::new();
    section.functions(&names);
    let mut named = module.to_vec();
    named.push(0); // a custom section, whose length and name it writes itself
    section.encode(&mut named);
    Ok(named)
}

/// How many functions the module imports, which are counted first, and where the bodies of its own lie.
fn functions(module: &[u8]) -> Result<(u32, Vec<Range<usize>>), BinaryReaderError> {
    let (mut imported, mut bodies) = (0, Vec::new());
    for payload in Parser::new(0).parse_all(module) {
        match payload? {
            Payload::ImportSection(imports) => {
                for import in imports.into_imports() {
                    imported += u32::from(matches!(import?.ty, TypeRef::Func(_)));
                }
            }
            Payload::CodeSectionEntry(body) => bodies.push(body.range()),
            _ => {}
        }
    }
    Ok((imported, bodies))
}

/// From each function to that which is most like it and is not placed yet: the greedy way, which is near the best here.
fn in_order(bodies: &[&[u8]]) -> Vec<usize> {
    let runs: Vec<Vec<u32>> = bodies.iter().map(|body| runs(body)).collect();
    let holders = Holders::of(&runs);
    let mut order = Vec::with_capacity(bodies.len());
    let mut placed = vec![false; bodies.len()];
    let mut shared = vec![0u32; bodies.len()];
    let mut first = 0;
    while order.len() < bodies.len() {
        // Where nothing is like the last one, those that are left follow as they stood.
        first += placed[first..].iter().take_while(|&&is| is).count();
        let next = order.last().and_then(|&last: &usize| {
            let mut touched = Vec::new();
            for &function in holders.like(last).filter(|&&function| !placed[function as usize]) {
                if shared[function as usize] == 0 {
                    touched.push(function as usize);
                }
                shared[function as usize] += 1;
            }
            let of_all = |function: usize| {
                f64::from(shared[function]) / (runs[function].len() + runs[last].len()) as f64
            };
            let next = touched.iter().copied().max_by(|&a, &b| of_all(a).total_cmp(&of_all(b)));
            touched.into_iter().for_each(|function| shared[function] = 0);
            next
        });
        let next = next.unwrap_or(first);
        placed[next] = true;
        order.push(next);
    }
    order
}

/// The runs of bytes in a function, each once.
fn runs(body: &[u8]) -> Vec<u32> {
    let mut runs: Vec<u32> =
        body.windows(RUN).filter_map(|run| Some(u32::from_le_bytes(*run.first_chunk()?))).collect();
    runs.sort_unstable();
    runs.dedup();
    runs
}

/// Which functions have a run.
struct Holders {
    /// Of each function, where in `functions` those begin and end that share a run with it.
    of: Vec<Vec<Range<usize>>>,
    functions: Vec<u32>,
}

impl Holders {
    fn of(runs: &[Vec<u32>]) -> Self {
        let mut pairs: Vec<(u32, u32)> = (0..)
            .zip(runs)
            .flat_map(|(function, runs)| runs.iter().map(move |&run| (run, function)))
            .collect();
        pairs.sort_unstable();
        let mut holders = Holders { of: vec![Vec::new(); runs.len()], functions: Vec::new() };
        for same in pairs.chunk_by(|a, b| a.0 == b.0).filter(|same| (2..=COMMON).contains(&same.len())) {
            let start = holders.functions.len();
            holders.functions.extend(same.iter().map(|&(_, function)| function));
            for &(_, function) in same {
                holders.of[function as usize].push(start..holders.functions.len());
            }
        }
        holders
    }

    /// The functions that share a run with this one, as often as they share one.
    fn like(&self, function: usize) -> impl Iterator<Item = &u32> {
        self.of[function].iter().flat_map(|range| &self.functions[range.clone()])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn like_functions_stand_together() {
        let bodies: [&[u8]; 5] = [b"aaaabbbbcccc", b"0123456789", b"aaaabbbbccccd", b"xyz", b"0123456780"];
        assert_eq!(in_order(&bodies), [0, 2, 1, 4, 3]);
        assert_eq!(in_order(&[]), [0; 0]);
    }

    #[test]
    fn each_function_is_named_behind_those_that_are_imported() {
        use wasm_encoder::{
            CodeSection, EntityType, Function, FunctionSection, ImportSection, Module, TypeSection,
        };
        let mut types = TypeSection::new();
        types.ty().function([], []);
        let mut imports = ImportSection::new();
        imports.import("a", "b", EntityType::Function(0));
        let (mut functions, mut code) = (FunctionSection::new(), CodeSection::new());
        for numbers in [[1, 2, 3], [70, 71, 72], [1, 2, 4]] {
            let mut function = Function::new([]);
            for number in numbers {
                function.instructions().i32_const(number).drop();
            }
            function.instructions().end();
            functions.function(0);
            code.function(&function);
        }
        let mut module = Module::new();
        module.section(&types).section(&imports).section(&functions).section(&code);
        let module = named(&module.finish()).unwrap();
        let mut found = Vec::new();
        for payload in Parser::new(0).parse_all(&module) {
            let Payload::CustomSection(section) = payload.unwrap() else { continue };
            let wasmparser::KnownCustom::Name(names) = section.as_known() else { continue };
            for name in names {
                let wasmparser::Name::Function(names) = name.unwrap() else { continue };
                found.extend(names.into_iter().map(|name| name.unwrap()).map(|name| (name.index, name.name)));
            }
        }
        assert_eq!(found, [(1, "0000000"), (2, "0000002"), (3, "0000001")]);
    }
}
