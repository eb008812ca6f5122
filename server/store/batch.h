// What goes into one transaction, and how it is run.
#pragma once

#include "store/database.h"
#include "store/native_connection.h"

#include <cstddef>
#include <exception>
#include <utility>
#include <vector>

namespace epode {

// Tells each of `done` its outcome, with one post for each executor, in their order.
class Outcomes {
public:
    void add(Executor& executor, Database::DoneFunction done, std::exception_ptr failure);
    void post();

private:
    struct Outcome {
        Database::DoneFunction done;
        std::exception_ptr failure;
    };
    std::vector<std::pair<Executor*, std::vector<Outcome>>> byExecutor_;
};

struct Batch {
    // A work, or a run of rows of one queue. (A queue that was forgotten leaves an item with
    // neither.)
    struct Item {
        RowQueue* queue = nullptr;
        Database::WorkFunction work;
        std::size_t count = 1;  // completions that belong to it
    };
    struct Completion {
        Executor* executor = nullptr;
        Database::DoneFunction done;
    };

    std::vector<Item> items;
    std::vector<Completion> completions;  // in the order of items
    std::vector<RowQueue*> queues;        // each once
    std::size_t bytes = 0;

    bool empty() const { return items.empty(); }

    // Runs and commits all of it. What fails alone is undone alone and does not throw. Throws when
    // the transaction as a whole is lost: then nothing is stored, and `conclude` is to be told.
    void run(NativeConnection& connection);
    // Fills `outcomes` and empties the batch. Returns the number of failures.
    std::size_t conclude(Outcomes& outcomes, std::exception_ptr failureOfAll);

private:
    void runRows(NativeConnection& connection, const Item& item, std::size_t completion,
                 std::size_t first);
    std::vector<std::pair<std::size_t, std::exception_ptr>> failures_;  // by completion, ascending
};

}  // namespace epode
