"""Better int8 files of one float file, without training and without a byte more: what calibration may choose."""
