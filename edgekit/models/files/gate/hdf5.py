"""HDF5 files that hold their own bytes: no part of them is read from elsewhere, and none claims more than is there.

HDF5 may point to other files (external links, external storage, virtual datasets), to itself (soft links, circles), and
may describe datasets of any size of which nothing is stored. Keras writes none of these.
Source: HDF5 File Format Specification 3.0, https://support.hdfgroup.org/documentation/hdf5/latest/_f_m_t3.html
"""

from __future__ import annotations

from math import prod

from edgekit.frameworks.types import Hdf5Group

MAX_OBJECTS = 200_000
MAX_ATTRIBUTES = 1_000
"""Of one object. Keras has fewer than ten, and one more for every 64 KiB of names."""
MAX_EXPANSION = 200
"""A compressed dataset that grows by more than this, to more than `EXPANSION_FLOOR` bytes, is refused as a bomb."""
EXPANSION_FLOOR = 64 << 20
FILTERS = {1: "gzip", 2: "shuffle", 3: "fletcher32", 32000: "lzf"}
"""That h5py brings along; others would be looked for as libraries to load."""
KINDS = "fiubS"
"""NumPy's kinds of what Keras stores: numbers and names; `O` is text of any length, in attributes only."""


class Untrusted(Exception):
    """The file is not one that Keras writes; the text says what is in it, and where."""


def check_hdf5(file: Hdf5Group, size: int) -> int:
    """Look at everything in an HDF5 file without reading any of it.

    Args:
        file: an open `h5py.File`.
        size: of the file, in bytes.

    Returns:
        Bytes that its datasets take when they are read.

    Raises:
        Untrusted: something is elsewhere, larger than the file, or of a kind that Keras does not write.
    """
    import h5py

    seen: set[int] = set()
    stack, stored, read = [("/", file["/"])], 0, 0
    while stack:
        name, item = stack.pop()
        address = h5py.h5o.get_info(item.id).addr
        if address in seen:
            raise Untrusted(f"`{name}` is in it twice")
        seen.add(address)
        if len(seen) > MAX_OBJECTS:
            raise Untrusted(f"it holds more than {MAX_OBJECTS:,} objects")
        _check_attributes(name, item, size)
        if isinstance(item, h5py.Dataset):
            bytes_stored, bytes_read = _dataset(name, item, size)
            stored, read = stored + bytes_stored, read + bytes_read
            if stored > size or read > max(EXPANSION_FLOOR, MAX_EXPANSION * size):
                raise Untrusted(f"its datasets claim {max(stored, read) >> 20:,} MiB, and the file has {size >> 20:,}")
        elif isinstance(item, h5py.Group):
            stack.extend(_members(name, item))
        else:
            raise Untrusted(f"`{name}` is neither a group nor a dataset")
    return read


def _members(name: str, group: Hdf5Group) -> list[tuple[str, Hdf5Group]]:
    import h5py

    if len(group) > MAX_OBJECTS:
        raise Untrusted(f"`{name}` has {len(group):,} members")
    found = []
    for member in group:
        place = f"{name.rstrip('/')}/{member}"
        link = group.get(member, getlink=True)
        if not isinstance(link, h5py.HardLink):
            where = f" to {link.filename}" if isinstance(link, h5py.ExternalLink) else ""
            raise Untrusted(f"`{place}` is a link{where}")
        found.append((place, group[member]))
    return found


def _dataset(name: str, item: Hdf5Group, size: int) -> tuple[int, int]:
    """Return how many bytes a dataset takes in the file, and when it is read."""
    import h5py

    kind, plist = item.dtype.kind, item.id.get_create_plist()
    if kind not in KINDS:
        bfloat16 = " (bfloat16? save it again with the dtype policy float32 or mixed_bfloat16)"
        what = f"{item.dtype}{bfloat16 if item.dtype == 'V2' else ''}"
        raise Untrusted(f"dataset `{name}` holds {what}, not numbers")
    if plist.get_external_count() or plist.get_layout() == h5py.h5d.VIRTUAL:
        raise Untrusted(f"the bytes of dataset `{name}` are in other files")
    for index in range(plist.get_nfilters()):
        code = plist.get_filter(index)[0]
        if code not in FILTERS:
            raise Untrusted(
                f"dataset `{name}` is compressed with filter {code}; read are {', '.join(FILTERS.values())}"
            )
    claimed = prod(map(int, item.shape or ())) * item.dtype.itemsize
    stored = item.id.get_storage_size()
    if stored > size or (stored == 0 and claimed > EXPANSION_FLOOR):
        raise Untrusted(f"dataset `{name}` claims {max(stored, claimed):,} bytes, and the file has {size:,}")
    return stored, claimed


def _check_attributes(name: str, item: Hdf5Group, size: int) -> None:
    import h5py

    count = h5py.h5a.get_num_attrs(item.id)
    if count > MAX_ATTRIBUTES:
        raise Untrusted(f"`{name}` has {count:,} attributes")
    for index in range(count):
        found = h5py.h5a.open(item.id, index=index)
        claimed = prod(map(int, found.shape or ())) * found.dtype.itemsize
        if claimed > size or found.dtype.kind not in KINDS + "O" or h5py.check_ref_dtype(found.dtype) is not None:
            raise Untrusted(f"attribute `{found.name.decode('utf-8', 'replace')}` of `{name}` is not one of Keras's")
