"""Any form of a container image, opened: a store of named blobs, then its OCI graph.

`oci.open_input` is the way in. Everything an image says is checked here before anyone relies on
it: a digest or size that is not its descriptor's, a missing blob, a document of the wrong shape
is an `InputError` of one line. Layers are only found here, not read.
"""
