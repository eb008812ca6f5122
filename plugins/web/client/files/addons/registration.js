// Who has just registered stays logged in: the client continues on the stream of the registration
// without keeping what a reload needs. A login as usual, on a new stream, keeps it.
//
// And a form that can't be had is asked for once: the client would ask again and again, without a pause.
const FETCHING_FORM = 1;
const FORM_FAILED = 3;

export function registration(_converse, { Strophe }) {
    const { api } = _converse;
    const Form = api.elements.registry['converse-registration-form'];
    api.elements.define('converse-registration-form', class extends Form {
        abortRegistration(message) {
            if (this.status === FORM_FAILED) return;
            if (this.status !== FETCHING_FORM) return super.abortRegistration(message);
            this.status = FORM_FAILED;
            this.setErrorMessage(message || 'The server can\u2019t be reached. Try again later.');
            api.connection.get().reset();
        }

        onConnectStatusChanged(status, message) {
            if (status !== Strophe.Status.REGISTERED || !this.fields.password)
                return super.onConnectStatusChanged(status, message);
            // "#converse/register" would bring the form back, and an invitation is used up.
            history.replaceState(null, '', '/');
            api.connection.get().reset();
            _converse.state.chatboxes.get('controlbox')?.set('active-form', 'login');
            return api.user.login(`${this.fields.username}@${this.domain}`.toLowerCase(), this.fields.password);
        }
    });
}
