"""Requests to a server in OpenAI's form: the only room that sends anything to another machine's model.

Law: the key comes from the environment, is sent to that server alone, and is in no record, log or message. An HTTP error,
a cut reply or a reply in another form is never an answer. The HTTP library is imported inside functions.
"""
