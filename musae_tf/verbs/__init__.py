"""The verbs: what a model of music can be asked for, declared once, wherever the model is.

`functions` has each verb as a generator, with its arguments, defaults and documentation: it is given the description of
a model, yields the calls of the model's signatures that it needs, and returns songs. `methods` makes methods of them,
some that wait and some that are awaited. `musae_tf.Musae` carries the calls out with a model in this process,
`musae_tf.client` with one on a server.
"""
