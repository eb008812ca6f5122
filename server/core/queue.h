// First in, first out, without memory of its own while it is empty and little has been in it: idle
// sessions have several. (An empty std::deque has 576 bytes.) Elements lie side by side.
#pragma once

#include <cstddef>
#include <utility>
#include <vector>

namespace epode {

template <typename T>
class Queue {
public:
    Queue() = default;
    Queue(Queue&& other) noexcept
        : all_{std::move(other.all_)}, first_{std::exchange(other.first_, 0)} {
        other.all_.clear();
    }
    Queue& operator=(Queue&& other) noexcept {
        std::swap(all_, other.all_);
        std::swap(first_, other.first_);
        other.clear();
        return *this;
    }

    bool empty() const { return first_ == all_.size(); }
    std::size_t size() const { return all_.size() - first_; }

    T* begin() { return all_.data() + first_; }
    T* end() { return all_.data() + all_.size(); }
    const T* begin() const { return all_.data() + first_; }
    const T* end() const { return all_.data() + all_.size(); }
    T& operator[](std::size_t i) { return all_[first_ + i]; }
    const T& operator[](std::size_t i) const { return all_[first_ + i]; }
    T& front() { return all_[first_]; }
    T& back() { return all_.back(); }
    const T& back() const { return all_.back(); }

    void push_back(T value) {
        if (all_.size() == all_.capacity() && first_ > all_.size() / 2) closeUp();
        all_.push_back(std::move(value));
    }
    void pop_front() {
        // What it holds goes now, not when its place is used again.
        [[maybe_unused]] const T gone = std::move(all_[first_]);
        ++first_;
        if (empty()) clear();
    }
    // Anywhere; those behind it move up.
    void erase(T* where) {
        all_.erase(all_.begin() + (where - all_.data()));
        if (empty()) clear();
    }
    void clear() {
        all_.clear();
        first_ = 0;
        if (all_.capacity() * sizeof(T) > keptBytes) all_.shrink_to_fit();
    }

private:
    // Who has one element at a time allocates once.
    static constexpr std::size_t keptBytes = 128;

    void closeUp() {
        all_.erase(all_.begin(), all_.begin() + std::ptrdiff_t(first_));
        first_ = 0;
    }

    std::vector<T> all_;  // up to `first_` they are gone
    std::size_t first_ = 0;
};

}  // namespace epode
