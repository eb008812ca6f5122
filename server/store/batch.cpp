#include "store/batch.h"

#include <algorithm>

namespace epode {

void Outcomes::add(Executor& executor, Database::DoneFunction done, std::exception_ptr failure) {
    if (!done) return;
    auto found = std::find_if(byExecutor_.begin(), byExecutor_.end(),
                              [&](const auto& entry) { return entry.first == &executor; });
    if (found == byExecutor_.end()) {
        byExecutor_.emplace_back(&executor, std::vector<Outcome>());
        found = byExecutor_.end() - 1;
    }
    found->second.push_back({std::move(done), std::move(failure)});
}

void Outcomes::post() {
    for (auto& [executor, outcomes] : byExecutor_) {
        executor->post([outcomes = std::move(outcomes)]() mutable {
            for (auto& outcome : outcomes) outcome.done(std::move(outcome.failure));
        });
    }
    byExecutor_.clear();
}

namespace {

// Runs `piece` in a savepoint. Returns its failure when it could be undone alone; throws when the
// transaction is lost.
template <typename Piece>
std::exception_ptr runAlone(NativeConnection& connection, Piece piece) {
    connection.setSavepoint();
    try {
        piece();
    } catch (...) {
        if (connection.isTransactionLost()) throw;
        const auto failure = std::current_exception();
        connection.rollbackToSavepoint();
        return failure;
    }
    connection.releaseSavepoint();
    return nullptr;
}

}  // namespace

void Batch::run(NativeConnection& connection) {
    failures_.clear();
    std::size_t completion = 0;
    // Where each queue's next row is; the order of `queues`.
    std::vector<std::size_t> next(queues.size(), 0);

    connection.begin();
    for (Item& item : items) {
        if (item.queue) {
            const auto queue = std::find(queues.begin(), queues.end(), item.queue) - queues.begin();
            runRows(connection, item, completion, next[queue]);
            next[queue] += item.count;
        } else if (item.work) {
            const auto failure = runAlone(connection, [&] { item.work(connection); });
            if (failure) failures_.emplace_back(completion, failure);
        }
        completion += item.count;
    }
    connection.commit();
    for (RowQueue* queue : queues) queue->committed();
}

void Batch::runRows(NativeConnection& connection, const Item& item, std::size_t completion,
                    std::size_t first) {
    const auto failure =
        runAlone(connection, [&] { item.queue->insert(connection, first, item.count); });
    if (!failure) return;
    if (item.count == 1) {
        failures_.emplace_back(completion, failure);
        return;
    }
    // One of them is bad: find out which, and keep the others.
    for (std::size_t row = 0; row < item.count; ++row) {
        const auto failureOfRow =
            runAlone(connection, [&] { item.queue->insert(connection, first + row, 1); });
        if (failureOfRow) failures_.emplace_back(completion + row, failureOfRow);
    }
}

std::size_t Batch::conclude(Outcomes& outcomes, std::exception_ptr failureOfAll) {
    std::size_t failed = failureOfAll ? completions.size() : failures_.size();
    auto failure = failures_.begin();
    for (std::size_t index = 0; index < completions.size(); ++index) {
        std::exception_ptr reason = failureOfAll;
        if (failure != failures_.end() && failure->first == index) {
            if (!reason) reason = failure->second;
            ++failure;
        }
        auto& completion = completions[index];
        outcomes.add(*completion.executor, std::move(completion.done), std::move(reason));
    }
    if (failureOfAll) {
        for (RowQueue* queue : queues) queue->undone();
    }
    items.clear();
    completions.clear();
    queues.clear();
    failures_.clear();
    bytes = 0;
    return failed;
}

}  // namespace epode
