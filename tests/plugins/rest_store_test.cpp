// Requests with a key, over every database.
#include "plugins/rest/idempotency.h"
#include "tests/store/databases.h"

using namespace epode;
using namespace epode::rest;

namespace {

const WallTime noon = fromMilliseconds(1'700'000'000'000);
using What = Idempotency::What;

struct Keys {
    explicit Keys(Setup& ofSetup)
        : setup{ofSetup}, keys{ofSetup.database(), std::chrono::hours{1}, 3} {
        setup.stores();
        std::vector<Migration> all = Stores::migrations();
        all.push_back(idempotencyTable);
        setup.database().migrate(all);
    }
    Idempotency::Begun begin(AccountId account, const std::string& key,
                             const std::string& asked = "what", Duration later = {}) {
        return setup.await(
            keys.begin(account, key, asked, "id of " + key,
                       noon + std::chrono::duration_cast<std::chrono::milliseconds>(later)));
    }
    void finish(AccountId account, const std::string& key, const std::string& answer) {
        setup.await(keys.finish(account, key, 201, answer));
    }

    Setup& setup;
    Idempotency keys;
};

}  // namespace

TEST_CASE("a key stands for one request, done once") {
    overAllDatabases([](Setup& setup) {
        Keys keys{setup};
        {
            const auto first = keys.begin(1, "a");
            CHECK(first.what == What::Fresh);
            CHECK(first.messageId == "id of a");
            CHECK(keys.begin(1, "a").what == What::UnderWay);
            // Another account's, and another key, have nothing to do with it.
            CHECK(keys.begin(2, "a").what == What::Fresh);
            CHECK(keys.begin(1, "b").what == What::Fresh);
            keys.finish(1, "a", "{\"r\xC3\xB4le\":1}");
        }
        const auto again = keys.begin(1, "a");
        CHECK(again.what == What::Repeated);
        CHECK(again.status == 201);
        CHECK(again.answer == "{\"r\xC3\xB4le\":1}");
        CHECK(again.messageId == "id of a");
        CHECK(keys.begin(1, "b").what == What::Interrupted);
    });
}

TEST_CASE("a key for something else is told, and one that did nothing is forgotten") {
    overAllDatabases([](Setup& setup) {
        Keys keys{setup};
        const std::string odd("\0\xff", 2);
        keys.begin(1, "a", odd);
        CHECK(keys.begin(1, "a", "else").what == What::OtherRequest);
        CHECK(keys.begin(1, "a", odd).what == What::Interrupted);
        setup.await(keys.keys.forget(1, "a"));
        CHECK(keys.begin(1, "a", "else").what == What::Fresh);
    });
}

TEST_CASE("keys go with their time, and the oldest when there are too many") {
    overAllDatabases([](Setup& setup) {
        Keys keys{setup};
        for (const char* key : {"a", "b", "c"}) {
            keys.begin(1, key, "what", std::chrono::seconds{key[0]});
            keys.finish(1, key, "done");
        }
        keys.begin(1, "d", "what", std::chrono::seconds{200});
        CHECK(keys.begin(1, "b", "what", std::chrono::seconds{201}).what == What::Repeated);
        CHECK(keys.begin(1, "a", "what", std::chrono::seconds{202}).what == What::Fresh);
        CHECK(keys.begin(1, "c", "what", std::chrono::hours{2}).what == What::Fresh);
        const auto later = noon + std::chrono::hours{4};
        CHECK(setup.await(keys.keys.expire(later, 1000)) == 1);
        CHECK(setup.await(keys.keys.expire(later, 1000)) == 0);
    });
}
