//! "Did you mean …?"

use strsim::damerau_levenshtein;

/// Names longer than this are no slip of the pen, and comparing costs the product of both lengths.
const COMPARED_LEN_MAX: usize = 96;

/// The known name that `name` is most like, if it is like one: of three letters, two are right.
pub(super) fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if name.len() > COMPARED_LEN_MAX {
        return None;
    }
    let name = name.to_lowercase();
    let distances = known.into_iter().map(|it| (damerau_levenshtein(&name, &it.to_lowercase()), it));
    let (distance, nearest) = distances.min_by_key(|(distance, _)| *distance)?;
    (distance <= (name.chars().count() / 3).max(1)).then_some(nearest)
}

/// `; did you mean …?`, or nothing.
pub(super) fn suggestion<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    nearest(name, known).map_or_else(String::new, |it| format!("; did you mean `{it}`?"))
}
