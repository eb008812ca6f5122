// All that can be asked for.
#include "service.h"

namespace epode::rest {

namespace {

constexpr std::int64_t bodyTextMost = 60000;
constexpr std::int64_t shortTextMost = 1000;
constexpr std::int64_t idMost = 256;
constexpr std::int64_t roomsMost = 20;

Field path(std::string_view name, std::string_view help, Kind kind = Kind::Address) {
    return {.name = name, .kind = kind, .in = In::Path, .need = Need::Required, .help = help};
}
Field query(std::string_view name, Kind kind, std::string_view help) {
    return {.name = name, .kind = kind, .in = In::Query, .help = help};
}
Field text(std::string_view name, std::string_view help, std::int64_t most = shortTextMost) {
    return {.name = name, .most = most, .help = help};
}
Field required(Field field) {
    field.need = Need::Required;
    if (field.kind == Kind::Text || field.kind == Kind::Secret) field.least = 1;
    return field;
}
// Of an answer.
Field says(std::string_view name, Kind kind, std::string_view help) {
    return {.name = name, .kind = kind, .help = help};
}
Field listOf(std::string_view name, std::string_view schema, std::string_view help) {
    return {.name = name,
            .kind = Kind::Object,
            .need = Need::Required,
            .many = Many::Yes,
            .schema = schema,
            .help = help};
}

std::vector<Field> pageFields(std::vector<Field> further) {
    further.push_back(query("before", Kind::Id, "The page ends before this message."));
    further.push_back(query("after", Kind::Id, "The page begins after this message."));
    further.push_back(query("start", Kind::Time, "Nothing older than this."));
    further.push_back(query("end", Kind::Time, "Nothing newer than this."));
    further.push_back({.name = "limit",
                       .kind = Kind::Integer,
                       .in = In::Query,
                       .least = 1,
                       .most = 100,
                       .help = "How many messages at most; 50 without it."});
    return further;
}
std::vector<Field> pageAnswer() {
    return {listOf("messages", "Message", "Oldest first."),
            says("complete", Kind::Boolean, "There are no further ones in this direction."),
            says("first", Kind::Id, "For \"before\" of the page before this one."),
            says("last", Kind::Id, "For \"after\" of the page after this one.")};
}

std::vector<Field> profileFields() {
    return {
        text("full_name", "The name."),           text("nickname", "How one is called in chat."),
        text("birthday", "As 1476-01-29.", 40),   text("email", "An address for mail."),
        text("phone", "A telephone number."),     text("url", "A page in the web."),
        text("organization", "Where one works."), text("title", "What one is there."),
        text("role", "What one does there."),     text("note", "Anything else.", 4000)};
}

std::vector<Field> optional(std::vector<Field> fields, Field further) {
    fields.push_back(std::move(further));
    return fields;
}

}  // namespace

std::string_view toText(Scope scope) {
    switch (scope) {
        case Scope::None:
            return "";
        case Scope::Read:
            return "rest:read";
        case Scope::Write:
            return "rest:write";
        case Scope::Send:
            return "rest:send";
        case Scope::Admin:
            return "rest:admin";
    }
    return "";
}

std::string_view helpOf(Scope scope) {
    switch (scope) {
        case Scope::Read:
            return "Reads profile, contacts, rooms, history and live events.";
        case Scope::Write:
            return "Changes profile, contacts, bookmarks of rooms and read marks.";
        case Scope::Send:
            return "Sends messages, and announces files.";
        case Scope::Admin:
            return "Uses the commands of operators, as far as the account may.";
        case Scope::None:
            break;
    }
    return "";
}

const std::vector<Schema>& schemas() {
    static const std::vector<Schema> all{
        {"Message",
         "A message, as far as bots care.",
         {says("id", Kind::Id, "In the archive; the cursor of pages."),
          says("message_id", Kind::Text, "What its sender calls it: for corrections and receipts."),
          says("origin_id", Kind::Text, "What its sender calls it, when that is another id."),
          says("at", Kind::Time, "When."),
          says("from", Kind::Text, "The sender; in rooms with his nickname behind a slash."),
          says("to", Kind::Text, "The addressee."),
          says("outgoing", Kind::Boolean, "It is one's own. Not told of rooms."),
          says("type", Kind::Text, "chat, normal, groupchat, headline or error."),
          says("body", Kind::Text, "The text."),
          says("subject", Kind::Text, "The subject."),
          says("thread", Kind::Text, "The thread."),
          says("replaces", Kind::Text, "The message_id of the message that it corrects."),
          says("reply_to", Kind::Text, "The id of the message that it answers."),
          says("retracts", Kind::Text, "The id of the message that it takes back."),
          says("moderated", Kind::Boolean, "A moderator takes it back."),
          says("retracted", Kind::Boolean, "It was taken back."),
          says("reacts_to", Kind::Text, "The id of the message that it reacts to."),
          {.name = "reactions", .many = Many::Yes, .help = "With these; none takes them back."},
          says("delivered", Kind::Text, "The message_id of the message that has arrived."),
          says("displayed", Kind::Text, "The message_id of the message up to which was read."),
          {.name = "attachments", .many = Many::Yes, .help = "Addresses of files."},
          says("encrypted", Kind::Boolean, "The text is for keys that REST doesn't have."),
          says("occupant_id", Kind::Text, "Of its sender in a room."),
          says("state", Kind::Text, "Of typing: active, composing, paused, inactive or gone."),
          {.name = "error",
           .kind = Kind::Object,
           .schema = "MessageError",
           .help = "Why it came back."}}},
        {"MessageError",
         "Why a message came back.",
         {says("condition", Kind::Text, "For programs: service-unavailable."),
          says("text", Kind::Text, "For people.")}},
        {"Contact",
         "Somebody in the roster.",
         {says("address", Kind::Address, "The address."),
          says("name", Kind::Text, "How one calls him."),
          says("subscription", Kind::Text, "Who sees whom: both, to, from or none."),
          says("asked", Kind::Boolean, "He was asked and hasn't answered yet."),
          {.name = "groups", .many = Many::Yes, .help = "The groups."}}},
        {"ContactRequest",
         "Somebody who wants to see one's presence.",
         {says("address", Kind::Address, "The address.")}},
        {"Bookmark",
         "A room that one has noted, or is in.",
         {says("address", Kind::Address, "The room."), says("name", Kind::Text, "Its name."),
          says("nick", Kind::Text, "One's nickname there."),
          says("autojoin", Kind::Boolean, "One's clients enter it by themselves."),
          says("bookmarked", Kind::Boolean, "It is noted."),
          says("joined", Kind::Boolean, "One is in it by this interface at this moment.")}},
        {"PublicRoom",
         "A room that anybody may find.",
         {says("address", Kind::Address, "The room."), says("name", Kind::Text, "Its name.")}},
        {"Upload",
         "A file that one has uploaded.",
         {says("id", Kind::Integer, "Its number."), says("name", Kind::Text, "Its name."),
          says("type", Kind::Text, "image/png."), says("bytes", Kind::Integer, "Its size."),
          says("purpose", Kind::Text, "message, profile or permanent."),
          says("at", Kind::Time, "When it came."),
          says("until", Kind::Time, "How long it is kept."),
          says("get", Kind::Text, "Where it is.")}},
        {"Picture",
         "A picture of somebody.",
         {says("id", Kind::Text, "Its SHA-1."), says("type", Kind::Text, "image/png."),
          says("bytes", Kind::Integer, "Its size."),
          says("path", Kind::Text, "Where it is fetched.")}},
        {"Profile", "What somebody tells about himself.",
         optional(profileFields(), {.name = "picture",
                                    .kind = Kind::Object,
                                    .schema = "Picture",
                                    .help = "The picture."})},
    };
    return all;
}

const std::vector<Operation>& Service::operations() {
    using enum HttpMethod;
    static const auto limit = [](std::int64_t most) {
        return Field{.name = "limit",
                     .kind = Kind::Integer,
                     .in = In::Query,
                     .least = 1,
                     .most = most,
                     .help = "How many at most; 50 without it."};
    };
    static const std::vector<Operation> all{
        // ---- log in
        {{.id = "logIn",
          .method = Post,
          .path = "/login",
          .group = "Login",
          .summary = "A token for a password",
          .details = "It is sent along with everything else, as \"Authorization: Bearer …\". It "
                     "ends with its time, with the account, and when the password is changed.",
          .fields = {required(text("username", "The address, or the part before the @.")),
                     required({.name = "password",
                               .kind = Kind::Secret,
                               .most = 1024,
                               .help = "The password."}),
                     {.name = "scopes",
                      .kind = Kind::Choice,
                      .many = Many::Yes,
                      .most = 10,
                      .choices = {"rest:read", "rest:write", "rest:send", "rest:admin"},
                      .help = "What the token shall be good for; all but rest:admin without it."},
                     {.name = "lifetime",
                      .kind = Kind::Integer,
                      .least = 60,
                      .most = 31622400,
                      .help = "In seconds; an hour without it, token.lifetime_max at most."}},
          .body = Body::Json,
          .answer = {says("token", Kind::Text, "The token."),
                     says("token_type", Kind::Text, "Bearer."),
                     says("expires", Kind::Time, "Until when it is good."),
                     says("scope", Kind::Text, "What it is good for."),
                     says("address", Kind::Address, "Whose it is.")},
          .errors = {401, 403, 503}},
         &Service::logIn},

        // ---- profile
        {{.id = "getProfile",
          .path = "/profile",
          .group = "Profile",
          .summary = "One's own profile",
          .scope = Scope::Read,
          .answer = optional(profileFields(), {.name = "picture",
                                               .kind = Kind::Object,
                                               .schema = "Picture",
                                               .help = "The picture."})},
         &Service::showOwnProfile},
        {{.id = "setProfile",
          .method = Patch,
          .path = "/profile",
          .group = "Profile",
          .summary = "Changes one's own profile",
          .details = "What is not named stays as it is; an empty text removes it.",
          .scope = Scope::Write,
          .fields = profileFields(),
          .body = Body::Json,
          .answer = profileFields()},
         &Service::setProfile},
        {{.id = "getPicture",
          .path = "/profile/picture",
          .group = "Profile",
          .summary = "One's own picture",
          .scope = Scope::Read,
          .answerType = "image/*",
          .errors = {404}},
         &Service::showOwnPicture},
        {{.id = "setPicture",
          .method = Put,
          .path = "/profile/picture",
          .group = "Profile",
          .summary = "Sets one's own picture",
          .details = "PNG, JPEG, GIF or WebP.",
          .scope = Scope::Write,
          .body = Body::Bytes,
          .status = 204,
          .errors = {415, 422}},
         &Service::setPicture},
        {{.id = "removePicture",
          .method = Delete,
          .path = "/profile/picture",
          .group = "Profile",
          .summary = "Shows no picture any more",
          .scope = Scope::Write,
          .status = 204},
         &Service::removePicture},
        {{.id = "getProfileOf",
          .path = "/profiles/{address}",
          .group = "Profile",
          .summary = "The profile of somebody else",
          .scope = Scope::Read,
          .fields = {path("address", "Whose.")},
          .answer = optional(profileFields(), {.name = "picture",
                                               .kind = Kind::Object,
                                               .schema = "Picture",
                                               .help = "The picture."}),
          .errors = {404, 422, 502}},
         &Service::showProfile},
        {{.id = "getPictureOf",
          .path = "/profiles/{address}/picture",
          .group = "Profile",
          .summary = "The picture of somebody else",
          .scope = Scope::Read,
          .fields = {path("address", "Whose.")},
          .answerType = "image/*",
          .errors = {404, 422, 502}},
         &Service::showPicture},

        // ---- contacts
        {{.id = "listContacts",
          .path = "/contacts",
          .group = "Contacts",
          .summary = "One's contacts",
          .scope = Scope::Read,
          .answer = {listOf("contacts", "Contact", "All of them.")}},
         &Service::listContacts},
        {{.id = "listContactRequests",
          .path = "/contacts/requests",
          .group = "Contacts",
          .summary = "Who wants to see one's presence",
          .scope = Scope::Read,
          .answer = {listOf("requests", "ContactRequest", "Who has got no answer yet.")}},
         &Service::listRequests},
        {{.id = "putContact",
          .method = Put,
          .path = "/contacts/{address}",
          .group = "Contacts",
          .summary = "Adds a contact, or changes it",
          .scope = Scope::Write,
          .fields = {path("address", "The contact."),
                     text("name", "How one calls him."),
                     {.name = "groups", .many = Many::Yes, .most = 50, .help = "The groups."},
                     {.name = "subscribe",
                      .kind = Kind::Boolean,
                      .help = "Ask to see his presence; true without it."}},
          .body = Body::Json,
          .errors = {201, 422, 507}},
         &Service::putContact},
        {{.id = "removeContact",
          .method = Delete,
          .path = "/contacts/{address}",
          .group = "Contacts",
          .summary = "Removes a contact",
          .details = "Neither sees the other's presence any more.",
          .scope = Scope::Write,
          .fields = {path("address", "The contact.")},
          .status = 204,
          .errors = {404}},
         &Service::removeContact},
        {{.id = "acceptContact",
          .method = Post,
          .path = "/contacts/{address}/accept",
          .group = "Contacts",
          .summary = "Lets somebody see one's presence",
          .scope = Scope::Write,
          .fields = {path("address", "Who has asked.")},
          .status = 204},
         &Service::acceptContact},
        {{.id = "denyContact",
          .method = Post,
          .path = "/contacts/{address}/deny",
          .group = "Contacts",
          .summary = "Doesn't let somebody see one's presence, or not any more",
          .scope = Scope::Write,
          .fields = {path("address", "Who has asked.")},
          .status = 204},
         &Service::denyContact},

        // ---- rooms
        {{.id = "listRooms",
          .path = "/rooms",
          .group = "Rooms",
          .summary = "The rooms that one has noted, and those that one is in by this interface",
          .scope = Scope::Read,
          .answer = {listOf("rooms", "Bookmark", "All of them.")}},
         &Service::listRooms},
        {{.id = "listPublicRooms",
          .path = "/rooms/public",
          .group = "Rooms",
          .summary = "The rooms that anybody may find",
          .scope = Scope::Read,
          .fields = {query("service", Kind::Text, "Of another service of rooms than one's own."),
                     query("after", Kind::Text, "\"last\" of the page before."), limit(100)},
          .answer = {listOf("rooms", "PublicRoom", "A page of them."),
                     says("last", Kind::Text, "For \"after\" of the next page."),
                     says("count", Kind::Integer, "How many there are.")},
          .errors = {404, 502}},
         &Service::listPublicRooms},
        {{.id = "getRoom",
          .path = "/rooms/{room}",
          .group = "Rooms",
          .summary = "What a room tells about itself",
          .scope = Scope::Read,
          .fields = {path("room", "The room.")},
          .answer = {says("address", Kind::Address, "The room."),
                     says("name", Kind::Text, "Its name."),
                     says("description", Kind::Text, "What it is about."),
                     says("subject", Kind::Text, "What is talked about."),
                     says("occupants", Kind::Integer, "How many are in it."),
                     says("members_only", Kind::Boolean, "Members alone may enter."),
                     says("moderated", Kind::Boolean, "Not everybody may speak."),
                     says("anonymous", Kind::Boolean, "Addresses are for moderators alone."),
                     says("password", Kind::Boolean, "It needs a password."),
                     says("public", Kind::Boolean, "Anybody may find it."),
                     says("persistent", Kind::Boolean, "It stays when nobody is in it."),
                     says("bookmarked", Kind::Boolean, "One has noted it."),
                     says("nick", Kind::Text, "How one is called there.")},
          .errors = {404, 502}},
         &Service::showRoom},
        {{.id = "putRoom",
          .method = Put,
          .path = "/rooms/{room}",
          .group = "Rooms",
          .summary = "Notes a room",
          .details = "What is not named stays as it is.",
          .scope = Scope::Write,
          .fields = {path("room", "The room."),
                     text("name", "What one calls it."),
                     text("nick", "One's nickname there; it is used when one sends.", 256),
                     {.name = "autojoin",
                      .kind = Kind::Boolean,
                      .help = "One's clients enter it by themselves."}},
          .body = Body::Json,
          .errors = {201, 422}},
         &Service::putRoom},
        {{.id = "removeRoom",
          .method = Delete,
          .path = "/rooms/{room}",
          .group = "Rooms",
          .summary = "Notes a room no more",
          .scope = Scope::Write,
          .fields = {path("room", "The room.")},
          .status = 204,
          .errors = {404}},
         &Service::removeRoom},
        {{.id = "listRoomMessages",
          .path = "/rooms/{room}/messages",
          .group = "Rooms",
          .summary = "The history of a room, in pages",
          .details = "For who may enter it. Without \"before\" or \"after\" it is the newest page.",
          .scope = Scope::Read,
          .fields = pageFields({path("room", "The room.")}),
          .answer = pageAnswer(),
          .errors = {403, 404, 502}},
         &Service::listRoomMessages},

        // ---- messages
        {{.id = "listMessages",
          .path = "/messages",
          .group = "Messages",
          .summary = "The history, in pages",
          .details = "Without \"before\" or \"after\" it is the newest page; with \"start\" alone "
                     "the oldest since then.",
          .scope = Scope::Read,
          .fields = pageFields({query("with", Kind::Address, "With this contact alone.")}),
          .answer = pageAnswer(),
          .errors = {404}},
         &Service::listMessages},
        {{.id = "sendMessage",
          .method = Post,
          .path = "/messages",
          .group = "Messages",
          .summary = "Sends a message to somebody or to a room",
          .details =
              "The answer comes when the server has stored it, as it acknowledges messages to "
              "clients of XMPP. A room is entered for it, and left when nothing was sent for a "
              "while. With an Idempotency-Key the same request may be made again, after a broken "
              "connection, say: it is done once, and answered as it was then.",
          .scope = Scope::Send,
          .fields =
              {{.name = "Idempotency-Key",
                .in = In::Header,
                .least = 1,
                .most = 200,
                .help = "Anything that is used for this message alone."},
               required(
                   {.name = "to", .kind = Kind::Address, .help = "To whom: a person, or a room."}),
               {.name = "type",
                .kind = Kind::Choice,
                .choices = {"chat", "normal", "groupchat"},
                .help = "groupchat: to a room; chat without it."},
               text("body", "The text.", bodyTextMost),
               text("subject", "The subject."),
               text("thread", "The thread.", idMost),
               text("replaces", "The message_id of an own message that this one corrects.", idMost),
               text("retracts", "The id of an own message that is taken back.", idMost),
               text("reply_to", "The id of the message that this one answers.", idMost),
               text("reacts_to", "The id of the message that \"reactions\" are about.", idMost),
               {.name = "reactions", .many = Many::Yes, .most = 20, .help = "Emoji."},
               {.name = "attachments",
                .many = Many::Yes,
                .most = 10,
                .help = "Addresses of files."},
               text("nick", "How one is called in the room; as its bookmark says without it.", 256),
               {.name = "password",
                .kind = Kind::Secret,
                .most = 256,
                .help = "Of the room, if it needs one."}},
          .body = Body::Json,
          .status = 201,
          .answer = {says("message_id", Kind::Text,
                          "What it is called, for corrections and receipts."),
                     says("id", Kind::Id, "Its place in the archive, if it is archived."),
                     says("to", Kind::Address, "To whom."), says("at", Kind::Time, "When.")},
          .errors = {403, 404, 409, 422, 502, 504, 507}},
         &Service::sendMessage},
        {{.id = "setRead",
          .method = Put,
          .path = "/read/{with}",
          .group = "Messages",
          .summary = "How far one has read",
          .details = "One's other clients hear of it.",
          .scope = Scope::Write,
          .fields =
              {path("with", "The contact or room."),
               required(
                   {.name = "id", .kind = Kind::Id, .help = "The last message that was read."}),
               {.name = "room", .kind = Kind::Boolean, .help = "It is a room."},
               text("marks", "The message_id of that message: then its sender is told.", idMost)},
          .body = Body::Json,
          .status = 204},
         &Service::setRead},

        // ---- files
        {{.id = "announceUpload",
          .method = Post,
          .path = "/uploads",
          .group = "Files",
          .summary = "A place for a file",
          .details =
              "PUT the file to \"put\", with these headers, and send \"get\" as an attachment.",
          .scope = Scope::Send,
          .fields = {required(text("name", "The name of the file.", 255)),
                     required(
                         {.name = "bytes", .kind = Kind::Integer, .least = 1, .help = "Its size."}),
                     text("type", "image/png.", 200),
                     {.name = "purpose",
                      .kind = Kind::Choice,
                      .choices = {"message", "profile", "permanent"},
                      .help = "How long it is kept; message without it."}},
          .body = Body::Json,
          .status = 201,
          .answer = {says("put", Kind::Text, "Where to put it."),
                     says("get", Kind::Text, "Where it is then."),
                     says("headers", Kind::Any, "What has to go along.")},
          .errors = {403, 404, 422, 507}},
         &Service::announceUpload},
        {{.id = "listUploads",
          .path = "/uploads",
          .group = "Files",
          .summary = "The files that one has uploaded",
          .details = "The newest first.",
          .scope = Scope::Read,
          .fields = {{.name = "before",
                      .kind = Kind::Integer,
                      .in = In::Query,
                      .least = 1,
                      .help = "The id of the last one on the page before."},
                     limit(100)},
          .answer = {listOf("uploads", "Upload", "A page of them."),
                     says("count", Kind::Integer, "How many there are."),
                     says("bytes", Kind::Integer, "How large they are together.")},
          .errors = {404}},
         &Service::listUploads},
        {{.id = "removeUpload",
          .method = Delete,
          .path = "/uploads/{file}",
          .group = "Files",
          .summary = "Deletes a file that one has uploaded",
          .scope = Scope::Send,
          .fields = {path("file", "Its id.", Kind::Integer)},
          .status = 204,
          .errors = {404}},
         &Service::removeUpload},

        // ---- live
        {{.id = "listen",
          .path = "/events",
          .group = "Events",
          .summary = "What happens, as it happens",
          .details = "Server-sent events: \"message\" (Message), \"typing\" (Message), "
                     "\"presence\", \"contact\", "
                     "\"request\" (somebody wants to see one's presence, or has answered), "
                     "\"subject\" of a room, \"read\", \"error\" (Message), "
                     "and \"ready\" when all that was missed has been told. Who comes back with "
                     "Last-Event-ID and the "
                     "same rooms hears what he has missed, from the archives. One is as online as "
                     "with any client.",
          .scope = Scope::Read,
          .fields =
              {{.name = "Last-Event-ID",
                .in = In::Header,
                .most = 2000,
                .help = "The id of the last event that was heard."},
               {.name = "room",
                .kind = Kind::Address,
                .in = In::Query,
                .many = Many::Yes,
                .most = roomsMost,
                .help = "A room to be in, under the nickname of its bookmark; several times for "
                        "several."},
               {.name = "show",
                .kind = Kind::Choice,
                .in = In::Query,
                .choices = {"available", "away", "chat", "dnd", "xa", "invisible"},
                .help = "How one is shown to others. Who is invisible gets no messages but those "
                        "that his "
                        "other clients get."},
               {.name = "status",
                .in = In::Query,
                .most = shortTextMost,
                .help = "What one says of it."},
               {.name = "priority",
                .kind = Kind::Integer,
                .in = In::Query,
                .least = -128,
                .most = 127,
                .help =
                    "Of several clients the one with the highest gets messages; 0 without it."}},
          .answerType = "text/event-stream",
          .errors = {403, 404, 409}},
         &Service::openEvents},

        // ---- operators
        {{.id = "listCommands",
          .path = "/commands",
          .group = "Commands",
          .summary = "What operators may do",
          .details = "Those commands of epodectl that the account may use (commands.admins, "
                     "commands.operators).",
          .scope = Scope::Admin,
          .answer = {{.name = "commands",
                      .kind = Kind::Any,
                      .many = Many::Yes,
                      .help = "Each with its arguments."}},
          .errors = {403}},
         &Service::listCommands},
        {{.id = "runCommand",
          .method = Post,
          .path = "/commands/{name}",
          .group = "Commands",
          .summary = "Does what an operator wants",
          .details = "The body has the arguments by their names: {\"account\": "
                     "\"juliet@capulet.example\"}.",
          .scope = Scope::Admin,
          .fields = {path("name", "The command, its words joined by dots: user.add.", Kind::Text),
                     query("confirm", Kind::Boolean, "It is meant: for what can't be undone.")},
          .body = Body::Arguments,
          .answer = {says("message", Kind::Text, "What the command says."),
                     {.name = "rows", .kind = Kind::Any, .many = Many::Yes, .help = "Its table."},
                     {.name = "warnings", .many = Many::Yes, .help = "What should be known."}},
          .errors = {403, 404, 409, 422}},
         &Service::runCommand},

        // ---- about the interface
        {{.id = "getDocument",
          .path = "/openapi.json",
          .group = "About",
          .summary = "All of this for programs (OpenAPI 3.1)"},
         &Service::showDocument},
        {{.id = "getPage",
          .path = "/",
          .group = "About",
          .summary = "All of this for people",
          .answerType = "text/html"},
         &Service::showPage},
    };
    return all;
}

}  // namespace epode::rest
