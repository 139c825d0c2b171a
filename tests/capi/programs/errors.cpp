// What ringwire::error says: the words of its own failure, and never those of an earlier one.
#include <ringwire.hpp>

#include <cstdio>
#include <cstdlib>
#include <string>

static void says(int code, const std::string &expected) {
    try {
        ringwire::check(code);
    } catch (const ringwire::error &error) {
        if (error.code() == code && error.what() == expected) {
            return;
        }
        std::fprintf(stderr, "%d says %s, not %s\n", code, error.what(), expected.c_str());
    }
    std::exit(1);
}

int main() {
    // Nothing has failed so far.
    says(RW_INVALID, rw_strerror(RW_INVALID));
    const int answer = rw_config_set(nullptr, "engine.idle", "park");
    const std::string words = rw_last_error();
    if (answer != RW_INVALID || words.empty()) {
        return 1;
    }
    says(answer, words);
    for (const int code : {RW_BACK_PRESSURED, RW_REPORTS_FULL, RW_NOT_CONNECTED, RW_WRONG_THREAD}) {
        says(code, rw_strerror(code));
    }
    return ringwire::check(3) == 3 ? 0 : 1;
}
