// Ringwire for C++17: ringwire.h with owners, views and callables. Header-only; nothing here does more than call C.
//
// What opens and configures throws ringwire::error. What publishes, polls and waits never throws: it answers the
// number that ringwire.h says. Owners are movable, not copyable, and free what they own. Threads and lifetimes are
// those of ringwire.h.
#ifndef RINGWIRE_HPP
#define RINGWIRE_HPP

#include "ringwire.h"

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#if __cplusplus >= 202002L && __has_include(<span>)
#include <span>
#endif

namespace ringwire {

// Why something could not be opened or configured.
class error : public std::runtime_error {
public:
    error(int code, const char *text) : std::runtime_error(text), code_(code) {}
    int code() const noexcept { return code_; }

private:
    int code_;
};

// Whether rw_last_error is about a code: some leave it as another call left it.
inline bool has_words(int code) noexcept {
    return code != RW_BACK_PRESSURED && code != RW_REPORTS_FULL && code != RW_NOT_CONNECTED && code != RW_WRONG_THREAD;
}

// The answer itself, unless it is an error: then it is thrown.
inline int check(int answer) {
    if (answer < 0) {
        const char *text = has_words(answer) ? rw_last_error() : "";
        throw error(answer, *text != '\0' ? text : rw_strerror(answer));
    }
    return answer;
}

// Some bytes, as a message's payload: from a string, an array or a span.
class bytes {
public:
    constexpr bytes() noexcept = default;
    constexpr bytes(const void *data, std::size_t size) noexcept : data_(data), size_(size) {}
    constexpr bytes(std::string_view text) noexcept : data_(text.data()), size_(text.size()) {}
    constexpr bytes(const char *text) noexcept : bytes(std::string_view(text)) {}
    bytes(const std::string &text) noexcept : bytes(std::string_view(text)) {}
#if defined(__cpp_lib_span)
    template <class T, std::size_t extent>
    bytes(std::span<T, extent> span) noexcept : data_(span.data()), size_(span.size_bytes()) {}
#endif
    constexpr const void *data() const noexcept { return data_; }
    constexpr std::size_t size() const noexcept { return size_; }
    constexpr rw_slice slice() const noexcept { return {data_, size_}; }

private:
    const void *data_ = nullptr;
    std::size_t size_ = 0;
};

// Owns a handle.
template <class T>
class owner {
public:
    owner() noexcept = default;
    explicit owner(T *handle) noexcept : handle_(handle) {}
    owner(owner &&other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
    owner &operator=(owner &&other) noexcept {
        std::swap(handle_, other.handle_);
        return *this;
    }
    owner(const owner &) = delete;
    owner &operator=(const owner &) = delete;
    ~owner() { rw_free(handle_); }

    T *get() const noexcept { return handle_; }
    explicit operator bool() const noexcept { return handle_ != nullptr; }

private:
    T *handle_ = nullptr;
};

class config : public owner<rw_config> {
public:
    config() : owner(make()) {}

    config &set(const std::string &path, const std::string &value) {
        check(rw_config_set(get(), path.c_str(), value.c_str()));
        return *this;
    }
    config &parse(std::string_view toml) {
        check(rw_config_parse(get(), toml.data(), toml.size()));
        return *this;
    }
    config &load(const std::string &path) {
        check(rw_config_load(get(), path.c_str()));
        return *this;
    }
    config &host_driven() {
        check(rw_config_host_driven(get()));
        return *this;
    }
    config &on_thread_start(rw_thread_start callback, void *user) {
        check(rw_config_on_thread_start(get(), callback, user));
        return *this;
    }
    config &on_log(rw_log callback, void *user) {
        check(rw_config_on_log(get(), callback, user));
        return *this;
    }
    void validate() const { check(rw_config_check(get())); }

private:
    static rw_config *make() {
        rw_config *handle = nullptr;
        check(rw_config_new(RW_ABI_VERSION, &handle));
        return handle;
    }
};

// A channel of an engine; not an owner, and as cheap as a pointer.
class channel {
public:
    channel() noexcept = default;
    explicit channel(rw_channel *handle) noexcept : handle_(handle) {}
    const rw_channel *get() const noexcept { return handle_; }
    int index() const noexcept { return rw_channel_index(handle_); }

private:
    rw_channel *handle_ = nullptr;
};

// A claimed place in the ring. Aborted unless committed; it must not outlive its publisher.
class claim {
public:
    claim() noexcept = default;
    claim(rw_publisher *publisher, void *place, std::size_t size) noexcept
        : publisher_(publisher), place_(place), size_(size) {}
    claim(claim &&other) noexcept
        : publisher_(other.publisher_), place_(std::exchange(other.place_, nullptr)), size_(other.size_) {}
    claim &operator=(claim &&other) noexcept {
        std::swap(publisher_, other.publisher_);
        std::swap(place_, other.place_);
        std::swap(size_, other.size_);
        return *this;
    }
    claim(const claim &) = delete;
    claim &operator=(const claim &) = delete;
    ~claim() {
        if (place_ != nullptr) {
            rw_abort(publisher_, place_);
        }
    }

    void *data() const noexcept { return place_; }
    std::size_t size() const noexcept { return size_; }
    int commit(std::uint64_t *sequence = nullptr) noexcept {
        return rw_commit(publisher_, std::exchange(place_, nullptr), sequence);
    }

private:
    rw_publisher *publisher_ = nullptr;
    void *place_ = nullptr;
    std::size_t size_ = 0;
};

class publisher : public owner<rw_publisher> {
public:
    using owner::owner;

    int publish(channel to, bytes payload, std::uint64_t *sequence = nullptr) noexcept {
        return rw_publish(get(), to.get(), payload.data(), payload.size(), sequence);
    }
    int publish(const rw_msg &message, std::uint64_t *sequence = nullptr) noexcept {
        return rw_publish_msg(get(), &message, sequence);
    }
    int publish(channel to, std::initializer_list<rw_slice> slices, std::uint64_t *sequence = nullptr) noexcept {
        return rw_publishv(get(), to.get(), slices.begin(), slices.size(), sequence);
    }
    int try_claim(channel to, std::size_t size, claim &room) noexcept {
        void *place = nullptr;
        const int answer = rw_try_claim(get(), to.get(), size, &place);
        if (answer == RW_OK) {
            room = claim(get(), place, size);
        }
        return answer;
    }
    int wait_writable(channel to, std::size_t size, std::uint64_t timeout_ns) noexcept {
        return rw_wait_writable(get(), to.get(), size, timeout_ns);
    }
    int flush(std::uint64_t timeout_ns) noexcept { return rw_flush(get(), timeout_ns); }
    int unbind() noexcept { return rw_publisher_unbind(get()); }
};

class reports : public owner<rw_reports> {
public:
    using owner::owner;

    int poll(rw_report *array, std::size_t capacity) noexcept { return rw_reports_poll(get(), array, capacity); }
    int wait(std::uint64_t timeout_ns) noexcept { return rw_reports_wait(get(), timeout_ns); }
    int fd() noexcept { return rw_reports_fd(get()); }
};

// What an event points at: valid until the next poll.
inline std::string_view channel_of(const rw_event &event) noexcept {
    return {static_cast<const char *>(event.channel), event.channel_len};
}
inline std::string_view payload_of(const rw_event &event) noexcept {
    return {static_cast<const char *>(event.payload), event.payload_len};
}

class subscriber : public owner<rw_subscriber> {
public:
    using owner::owner;

    std::uint32_t subscribe(std::string_view channel, const char *endpoint = nullptr) {
        return open(channel, endpoint, 0);
    }
    std::uint32_t subscribe_pattern(std::string_view pattern, const char *endpoint = nullptr) {
        return open(pattern, endpoint, RW_PATTERN);
    }
    void unsubscribe(std::uint32_t subscription) { check(rw_unsubscribe(get(), subscription)); }

    int poll(rw_event *array, std::size_t capacity) noexcept { return rw_poll(get(), array, capacity); }
    int wait(std::uint64_t timeout_ns) noexcept { return rw_wait(get(), timeout_ns); }
    int fd() noexcept { return rw_subscriber_fd(get()); }

private:
    std::uint32_t open(std::string_view name, const char *endpoint, std::uint32_t flags) {
        std::uint32_t subscription = 0;
        check(rw_subscribe(get(), endpoint, name.data(), name.size(), flags, &subscription));
        return subscription;
    }
};

class shard : public owner<rw_shard> {
public:
    using owner::owner;

    int poll() noexcept { return rw_shard_poll(get()); }
    std::uint64_t next_deadline() noexcept {
        std::uint64_t deadline_ns = UINT64_MAX;
        rw_shard_next_deadline(get(), &deadline_ns);
        return deadline_ns;
    }
    int fd() noexcept { return rw_shard_fd(get()); }
};

class engine : public owner<rw_engine> {
public:
    explicit engine(const config &settings) : owner(make(settings)) {}

    bool wait_ready(std::uint64_t timeout_ns) noexcept { return rw_engine_wait_ready(get(), timeout_ns) == 1; }
    int health() const noexcept { return rw_engine_health(get()); }
    int control() noexcept { return rw_engine_control(get()); }
    int shutdown(std::uint64_t deadline_ns, rw_shutdown_report *report = nullptr) noexcept {
        return rw_engine_shutdown(get(), deadline_ns, report);
    }

    std::vector<rw_endpoint_status> status() const {
        const auto count = static_cast<std::size_t>(check(rw_engine_status(get(), nullptr, 0)));
        std::vector<rw_endpoint_status> endpoints(count);
        check(rw_engine_status(get(), endpoints.data(), count));
        return endpoints;
    }
    rw_counters counters(const char *endpoint = nullptr) const {
        rw_counters counters{};
        check(rw_engine_counters(get(), endpoint, &counters));
        return counters;
    }

    ringwire::channel channel(std::string_view name) {
        rw_channel *handle = nullptr;
        check(rw_channel_open(get(), name.data(), name.size(), &handle));
        return ringwire::channel(handle);
    }
    std::pair<ringwire::publisher, ringwire::reports> publisher() {
        rw_publisher *publisher = nullptr;
        rw_reports *reports = nullptr;
        check(rw_publisher_open(get(), &publisher, &reports));
        return {ringwire::publisher(publisher), ringwire::reports(reports)};
    }
    ringwire::publisher publisher_without_reports() {
        rw_publisher *handle = nullptr;
        check(rw_publisher_open(get(), &handle, nullptr));
        return ringwire::publisher(handle);
    }
    ringwire::subscriber subscriber() {
        rw_subscriber *handle = nullptr;
        check(rw_subscriber_open(get(), &handle));
        return ringwire::subscriber(handle);
    }
    ringwire::shard take_shard(std::uint32_t index = 0) {
        rw_shard *handle = nullptr;
        check(rw_shard_take(get(), index, &handle));
        return ringwire::shard(handle);
    }

private:
    static rw_engine *make(const config &settings) {
        rw_engine *handle = nullptr;
        check(rw_engine_start(settings.get(), &handle));
        return handle;
    }
};

} // namespace ringwire

#endif
