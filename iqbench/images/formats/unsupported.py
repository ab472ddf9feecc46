"""Recognise unsupported formats, for errors that name them and say what to do."""

from __future__ import annotations

import struct

from iqbench.errors import IqbenchError
from iqbench.images.formats.reader import ByteReader

__all__ = ["refusal"]

HEAD = 512  # bytes that identify a format

AS_PNG = "Save it as PNG"
READ = "Save it as PNG; JPEG, BMP, TIFF, WebP, PPM and PGM are supported too"

# Image formats: offset of the signature, signature, and name of the format.
PICTURES = (
    (0, b"GIF8", "a GIF"),
    (0, b"P1", "a bilevel PBM"),
    (0, b"P4", "a bilevel PBM"),
    (0, b"P2", "a PGM in text form"),
    (0, b"P3", "a PPM in text form"),
    (0, b"P7\n", "a PAM"),
    (0, b"Pf", "a PFM of float samples"),
    (0, b"PF", "a PFM of float samples"),
    (0, b"v/1\x01", "an OpenEXR of float samples"),
    (0, b"#?RADIANCE", "a Radiance HDR of float samples"),
    (0, b"#?RGBE", "a Radiance HDR of float samples"),
    (0, b"\0\0\0\x0cjP  ", "a JPEG 2000"),
    (0, b"\xff\x4f\xff\x51", "a JPEG 2000 code stream"),
    (0, b"\0\0\0\x0cJXL ", "a JPEG XL"),
    (0, b"\xff\x0a", "a JPEG XL code stream"),
    (0, b"II\xbc", "a JPEG XR"),
    (0, b"qoif", "a QOI"),
    (0, b"8BPS", "a Photoshop document (PSD)"),
    (0, b"gimp xcf", "a GIMP document (XCF)"),
    (0, b"DDS ", "a DirectDraw surface (DDS)"),
    (0, b"\xabKTX ", "a KTX texture"),
    (0, b"\0\0\1\0", "an icon (ICO)"),
    (0, b"\0\0\2\0", "a cursor (CUR)"),
    (0, b"icns", "an Apple icon (ICNS)"),
    (0, b"BPG\xfb", "a BPG"),
    (0, b"FLIF", "a FLIF"),
    (0, b"farbfeld", "a farbfeld"),
    (0, b"\x8aMNG", "an MNG animation"),
    (0, b"\x8bJNG", "a JNG"),
    (0, b"\x59\xa6\x6a\x95", "a Sun raster"),
    (0, b"\x01\xda\x00", "an SGI picture"),
    (0, b"\x01\xda\x01", "an SGI picture"),
    (0, b"\x0a\x05\x01", "a PCX"),
    (0, b"SIMPLE  =", "a FITS"),
    (128, b"DICM", "a DICOM"),
    (0, b"%!PS", "a PostScript"),
    (0, b"%PDF", "a PDF"),
    (0, b"FUJIFILMCCD-RAW", "a camera's raw file (RAF)"),
    (0, b"IIRO", "a camera's raw file (ORF)"),
    (0, b"IIRS", "a camera's raw file (ORF)"),
    (0, b"IIU\0", "a camera's raw file (RW2)"),
    (0, b"FOVb", "a camera's raw file (X3F)"),
)

# Brands of the ISO base media format, which many formats share.
BRANDS = {
    **dict.fromkeys((b"avif", b"avis"), "an AVIF"),
    **dict.fromkeys((b"heic", b"heix", b"heim", b"heis", b"hevc", b"mif1", b"msf1"), "a HEIC"),
    b"crx ": "a camera's raw file (CR3)",
    b"jxl ": "a JPEG XL",
    b"jp2 ": "a JPEG 2000",
}

UNPACK = "Unpack it"
ELSE = (
    (0, b"PK\3\4", "a ZIP archive (.npz, .pt and office files are, too)", UNPACK),
    (0, b"\x1f\x8b", "an archive compressed by gzip", UNPACK),
    (0, b"BZh", "an archive compressed by bzip2", UNPACK),
    (0, b"\xfd7zXZ\0", "an archive compressed by xz", UNPACK),
    (0, b"\x28\xb5\x2f\xfd", "an archive compressed by Zstandard", UNPACK),
    (0, b"7z\xbc\xaf\x27\x1c", "a 7z archive", UNPACK),
    (0, b"Rar!", "a RAR archive", UNPACK),
    (257, b"ustar", "a tar archive", UNPACK),
    (0, b"\x93NUMPY", "a numpy array", AS_PNG),
    (0, b"\x89HDF\r\n\x1a\n", "an HDF5 file", "Save its pictures as PNG"),
    (0, b"MATLAB 5.0", "a MATLAB file", "Save its pictures as PNG"),
    (0, b"\x1a\x45\xdf\xa3", "a video (Matroska or WebM)", "Save its frames as PNG"),
    (8, b"AVI ", "a video (AVI)", "Save its frames as PNG"),
    (0, b"\0\5\x16\7", "a file with attributes from macOS (._name)", "Delete it"),
    (
        0,
        b"version https://git-lfs.github.com/spec/",
        "a Git LFS pointer, not the file itself",
        "Fetch the files themselves: git lfs pull",
    ),
)

WEB = (b"<!doctype html", b"<html", b"<head", b"<body")
PAGE_HINT = "Download the file again: a failed download often saves an error page"


def refusal(file: ByteReader) -> IqbenchError:
    """Return the error for a file of an unsupported format; it names the format."""
    head = file.at(0, min(file.size, HEAD))
    if _targa(file, head):
        return file.refused("is a TGA, which is not read", AS_PNG)
    for place, signature, label in PICTURES:
        if head.startswith(signature, place):
            return file.refused(f"is {label}, which is not read", AS_PNG)
    if head[4:8] == b"ftyp":
        label = BRANDS.get(head[8:12], "a video (MP4 or MOV)")
        hint = "Save its frames as PNG" if "video" in label else AS_PNG
        return file.refused(f"is {label}, which is not read", hint)
    for place, signature, label, hint in ELSE:
        if head.startswith(signature, place):
            return file.refused(f"is not an image but {label}", hint)
    return _unsigned(file, head)


def _unsigned(file: ByteReader, head: bytes) -> IqbenchError:
    """Return the error for a file without a known signature."""
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if text.startswith(WEB):
        return file.refused("is not an image but a web page (HTML)", PAGE_HINT)
    if text.startswith(b"<svg") or (text.startswith(b"<?xml") and b"<svg" in text):
        return file.refused("is an SVG, which is not read", AS_PNG)
    if len(head) == HEAD and not any(head):
        return file.damaged("it starts with zeros, like files that were not written to the disk")
    if _is_text(head):
        return file.refused("is not an image but a text", READ)
    return file.refused("is not an image, or it is damaged", READ)


def _targa(file: ByteReader, head: bytes) -> bool:
    """Return whether a file is a TGA, which has no signature, by its footer or header."""
    footer = b"TRUEVISION-XFILE.\0"
    if file.size >= 44 and file.at(file.size - len(footer), len(footer)) == footer:
        return True
    if len(head) < 18:
        return False
    palette, kind, length, entry, width, height, depth, flags = struct.unpack(
        "<xBBxxHB4xHHBB", head[:18]
    )
    mapped = kind in (1, 9)
    return (
        kind in (1, 2, 3, 9, 10, 11)
        and palette == mapped
        and (entry in (15, 16, 24, 32) and length > 0 if mapped else (length, entry) == (0, 0))
        and depth in ((8,) if mapped or kind in (3, 11) else (15, 16, 24, 32))
        and min(width, height) > 0
        and flags & 0xC0 == 0
    )


def _is_text(head: bytes) -> bool:
    """Return whether bytes are UTF-8 without control characters; they may end inside one."""
    try:
        text = head[:-4].decode("utf-8") if len(head) == HEAD else head.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return all(sign.isprintable() or sign.isspace() for sign in text)
