//! "Did you mean …?"

use strsim::damerau_levenshtein;

/// Names longer than this are no slip of the pen, and comparing costs the product of both lengths.
const COMPARED_LEN_MAX: usize = 96;

/// The known name that `name` is half of or more, else the one that it is most like, if it is like one: of three
/// letters, two are right.
pub(super) fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if name.len() > COMPARED_LEN_MAX {
        return None;
    }
    let name = name.to_lowercase();
    let known: Vec<&str> = known.into_iter().collect();
    let begins = |it: &&&str| it.to_lowercase().starts_with(&name) && name.len() * 2 >= it.len();
    if let Some(longer) = known.iter().find(begins) {
        return Some(longer);
    }
    let distances = known.into_iter().map(|it| (damerau_levenshtein(&name, &it.to_lowercase()), it));
    let (distance, nearest) = distances.min_by_key(|(distance, _)| *distance)?;
    (distance <= (name.chars().count() / 3).max(1)).then_some(nearest)
}

/// `; did you mean …?`, or nothing.
pub(super) fn suggestion<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    nearest(name, known).map_or_else(String::new, |it| format!("; did you mean `{it}`?"))
}
