"""The labelled bench of causes: pairs with one known cause, controls, mixtures, adversaries."""
