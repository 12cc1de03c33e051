"""The studio: a web page to explore a latent space by ear, on top of the verbs that `musae_tf.Musae` has too.

It is made with NiceGUI, because of the libraries that bring forms, themes and a server it is the one that loads nothing
from elsewhere, takes components of our own (piano roll, map, drop zone) as single files without a build step, and lets
Python answer each gesture over one connection, where Streamlit runs the whole page anew, Gradio asks a font server, and
Panel's widgets want wide screens.
"""
