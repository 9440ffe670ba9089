//! `#[derive(Module)]`: a struct's fields as a module's parameters, buffers and children.

use proc_macro::TokenStream;
use proc_macro2::TokenStream as Tokens;
use quote::quote;
use syn::ext::IdentExt;
use syn::{Data, DeriveInput, Error, Field, Fields, Index, LitStr, Member, Path, Result, parse_quote};

/// Implements `Module` by visiting the fields in their order, so that names in a state dict are the fields' names.
///
/// A field may be a module, a `Parameter`, a `Buffer`, an option, vector, array or box of these, or a plain setting. A field of
/// type `Training` follows `train()` and `eval()`.
///
/// * `#[module(skip)]` leaves a field out.
/// * `#[module(rename = "name")]` gives it another name.
/// * On the struct, `#[module(crate = "path")]` says where the traits are, `::flambeau::nn` by default.
#[proc_macro_derive(Module, attributes(module))]
pub fn module(input: TokenStream) -> TokenStream {
    let input = syn::parse_macro_input!(input as DeriveInput);
    expand(input).unwrap_or_else(Error::into_compile_error).into()
}

struct Part {
    member: Member,
    name: String,
    training: bool,
}

fn expand(input: DeriveInput) -> Result<Tokens> {
    let Data::Struct(data) = &input.data else {
        return Err(Error::new_spanned(&input.ident, "Module can be derived for structs only"));
    };
    let mut nn: Path = parse_quote!(::flambeau::nn);
    for a in input.attrs.iter().filter(|a| a.path().is_ident("module")) {
        a.parse_nested_meta(|meta| {
            if !meta.path.is_ident("crate") {
                return Err(meta.error("expected `crate = \"path\"`"));
            }
            nn = meta.value()?.parse::<LitStr>()?.parse()?;
            Ok(())
        })?;
    }
    let members = members(&data.fields)?;
    let (mut visits, mut visits_mut, mut modes) = (Vec::new(), Vec::new(), Vec::new());
    for Part { member, name, training } in &members {
        if *training {
            modes.push(quote!(self.#member.set(on);));
            continue;
        }
        visits.push(quote!(#nn::Field::visit(&self.#member, #name, f);));
        visits_mut.push(quote!(#nn::Field::visit_mut(&mut self.#member, #name, f);));
    }
    let mut generics = input.generics.clone();
    for p in generics.type_params_mut() {
        p.bounds.push(parse_quote!(#nn::Field));
        p.bounds.push(parse_quote!(::core::marker::Send));
        p.bounds.push(parse_quote!(::core::marker::Sync));
    }
    let (with, types, clause) = generics.split_for_impl();
    let ident = &input.ident;
    Ok(quote! {
        #[automatically_derived]
        impl #with #nn::Module for #ident #types #clause {
            #[allow(unused_variables)]
            fn fields<'module>(&'module self, f: #nn::Visit<'_, 'module>) {
                #(#visits)*
            }
            #[allow(unused_variables)]
            fn fields_mut(&mut self, f: #nn::VisitMut<'_>) {
                #(#visits_mut)*
            }
            #[allow(unused_variables)]
            fn set_training(&self, on: bool) {
                #(#modes)*
            }
        }
    })
}

/// The fields that count, with their names.
fn members(fields: &Fields) -> Result<Vec<Part>> {
    let mut out = Vec::new();
    for (i, field) in fields.iter().enumerate() {
        let (mut skip, mut rename) = (false, None);
        for a in field.attrs.iter().filter(|a| a.path().is_ident("module")) {
            a.parse_nested_meta(|meta| {
                if meta.path.is_ident("skip") {
                    skip = true;
                } else if meta.path.is_ident("rename") {
                    rename = Some(meta.value()?.parse::<LitStr>()?.value());
                } else {
                    return Err(meta.error("expected `skip` or `rename = \"name\"`"));
                }
                Ok(())
            })?;
        }
        if skip {
            continue;
        }
        let (member, own) = match &field.ident {
            Some(ident) => (Member::Named(ident.clone()), ident.unraw().to_string()),
            None => (Member::Unnamed(Index::from(i)), i.to_string()),
        };
        out.push(Part { member, name: rename.unwrap_or(own), training: is_training(field) });
    }
    Ok(out)
}

fn is_training(field: &Field) -> bool {
    matches!(&field.ty, syn::Type::Path(p) if p.path.segments.last().is_some_and(|s| s.ident == "Training"))
}
