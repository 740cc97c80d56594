/* Takes what names a person out of the address that is shown, before anybody copies it. Without it that part ends by itself. */
try { history.replaceState(null, "", location.pathname); } catch (error) { /* an old browser */ }
