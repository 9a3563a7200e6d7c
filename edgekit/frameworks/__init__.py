"""The doors to TensorFlow and Keras: nothing else imports or configures them."""
