"""Reads what write.mjs wrote with the programs that labs use: python read.py SUBJECT FOLDER."""

import gzip
import json
import math
import sys
import uuid
from pathlib import Path

import numpy as np

folder = Path(sys.argv[2])
PIXEL_SIZE = 0.325
WIDTHS = {"shapes": 90, "wide": 70_200, "dense": 280, "large": 1300}


def labels(name: str) -> np.ndarray:
    return np.fromfile(folder / f"{name}.u32", np.uint32).reshape(-1, WIDTHS[name])


def tiff() -> None:
    import tifffile

    for name, endings in {
        "shapes": [".labels.tif", ".labels.ome.tif", "_cp_masks.tif"],
        "wide": [".labels.tif"],
        "dense": [".labels.tif", ".labels.ome.tif"],
        "large": [".labels.tif", ".labels.ome.tif", "_cp_masks.tif", ".tiles.ome.tif"],
    }.items():
        for ending in endings:
            with tifffile.TiffFile(folder / f"{name}{ending}") as file:
                (page,) = file.pages
                assert page.is_tiled == ("tiles" in ending), ending
                assert page.dtype == (np.uint32 if name == "dense" else np.uint16)
                assert np.array_equal(file.asarray(), labels(name)), (name, ending)
                assert file.is_ome == ("ome" in ending)
                if name in ("shapes", "large"):
                    numerator, denominator = page.tags["XResolution"].value
                    per_micrometre = numerator / denominator / (1e4 if "ome" in ending else 1)
                    assert math.isclose(per_micrometre, 1 / PIXEL_SIZE, rel_tol=1e-6), per_micrometre
                    if "ome" not in ending:
                        assert file.imagej_metadata["unit"] == "um"


def ome() -> None:
    import ome_types

    for name in ["shapes.labels.ome.tif", "large.labels.ome.tif", "large.tiles.ome.tif"]:
        (image,) = ome_types.from_tiff(folder / name, validate=True).images
        pixels = image.pixels
        assert pixels.physical_size_x == PIXEL_SIZE and pixels.physical_size_x_unit.value == "µm"
        assert pixels.type.value == "uint16" and pixels.size_x == WIDTHS[name.split(".")[0]]
        assert image.name == ("large" if "tiles" in name else f"{name.split('.')[0]}.tif")


def rois() -> None:
    import roifile

    for name in ["shapes", "wide"]:
        expected = labels(name)
        found = roifile.roiread(folder / f"{name}.rois.zip")
        assert len(found) == expected.max()
        for index, roi in enumerate(found, start=1):
            assert int(roi.name.split("-")[0]) == index and roi.name.endswith("-astro")
            rows, columns = np.nonzero(expected == index)
            corners = roi.coordinates(multi=True) if roi.composite else [roi.coordinates()]
            points = np.concatenate(corners)
            assert points[:, 0].min() == columns.min() and points[:, 0].max() == columns.max() + 1, name
            assert points[:, 1].min() == rows.min() and points[:, 1].max() == rows.max() + 1, name
            if name == "shapes":
                assert (roi.z_position, roi.t_position) == (2, 3)


def tables() -> None:
    import pandas
    from skimage.measure import regionprops_table

    for name in ["shapes", "large"]:
        table = pandas.read_csv(folder / f"{name}.measurements.csv")
        names = ["label", "area", "perimeter", "centroid", "axis_major_length", "solidity", "feret_diameter_max"]
        expected = pandas.DataFrame(regionprops_table(labels(name).astype(int), properties=names))
        assert len(table) == len(expected)
        for column in expected:
            assert np.allclose(table[column], expected[column], rtol=1e-9, atol=1e-9), column
        assert np.allclose(table["area_um2"], table["area"] * PIXEL_SIZE**2)
        assert set(table["class"]) == {"astro"}
    csv = pandas.read_csv(folder / "shapes.measurements.csv")
    parquet = pandas.read_parquet(folder / "shapes.measurements.parquet")
    pandas.testing.assert_frame_equal(csv, parquet, check_dtype=False)
    assert parquet["area"].dtype == np.int32
    assert [name for name in csv if name.startswith("intensity_mean")] == [f"intensity_mean-{i}" for i in range(3)]
    summary = pandas.read_csv(folder / "shapes.summary.csv")
    assert summary.loc[0, "cells"] == 10 and summary.loc[0, "image"] == "shapes.tif"
    assert math.isclose(summary.loc[0, "area_fraction"], (labels("shapes") > 0).mean())


def zarr() -> None:
    import zarr
    from ome_zarr_models.v05.image_label import ImageLabel

    stores = {"shapes": zarr.storage.ZipStore(folder / "shapes.labels.ozx", mode="r"), "large": folder / "large.ome.zarr"}
    stores["zip"] = zarr.storage.ZipStore(folder / "large.labels.ozx", mode="r")
    stores["dense"] = zarr.storage.ZipStore(folder / "dense.labels.ozx", mode="r")
    for name, store in stores.items():
        expected = labels("large" if name == "zip" else name)
        group = zarr.open_group(store, mode="r")
        ImageLabel.from_zarr(group)
        assert len(group) == (3 if name in ("large", "zip") else 1)
        for level in range(len(group)):
            array = group[str(level)]
            assert array.dtype == (np.uint32 if name == "dense" else np.uint16)
            assert np.array_equal(array[:], expected[:: 2**level, :: 2**level]), (name, level)
        (multiscale,) = group.attrs["ome"]["multiscales"]
        scales = [dataset["coordinateTransformations"][0]["scale"] for dataset in multiscale["datasets"]]
        assert scales == [[(1 if name == "dense" else PIXEL_SIZE) * 2**level] * 2 for level in range(len(scales))]


def napari() -> None:
    from napari.components import ViewerModel
    from npe2 import PluginManager

    # What a window does when it opens.
    PluginManager.instance().discover()
    viewer = ViewerModel()
    (pyramid,) = viewer.open(folder / "large.ome.zarr", plugin="napari-ome-zarr")
    assert type(pyramid).__name__ == "Labels" and len(pyramid.data) == 3
    for level, data in enumerate(pyramid.data):
        assert np.array_equal(data, labels("large")[:: 2**level, :: 2**level]), level
    assert np.allclose(pyramid.scale, PIXEL_SIZE)
    # One per cell, in the order of the labels.
    assert list(pyramid.properties["class"]) == ["astro"] * 900 and len(pyramid.properties["score"]) == 900
    (plain,) = viewer.open(folder / "shapes.labels.tif", plugin="napari", layer_type="labels")
    assert np.array_equal(plain.data, labels("shapes"))


def geojson() -> None:
    text = (folder / "shapes.geojson").read_bytes()
    assert gzip.decompress((folder / "shapes.geojson.gz").read_bytes()) == text
    features = json.loads(text)["features"]
    assert len({uuid.UUID(feature["id"]) for feature in features}) == 10
    for feature in features:
        assert uuid.UUID(feature["id"]).version == 5
        assert feature["geometry"]["plane"] == {"c": -1, "z": 1, "t": 2}
        assert feature["properties"]["objectType"] == "detection"
        assert feature["properties"]["classification"]["name"] == "astro"
        assert len(feature["properties"]["classification"]["color"]) == 3
        assert all(math.isfinite(value) for value in feature["properties"]["measurements"].values())
    area = (labels("shapes") == 1).sum()
    assert math.isclose(features[0]["properties"]["measurements"]["Area µm^2"], area * PIXEL_SIZE**2, rel_tol=1e-6)


def many() -> None:
    import zipfile

    import roifile

    areas = [int(line) for line in (folder / "many.areas.txt").read_text().split()]
    with zipfile.ZipFile(folder / "many.rois.zip") as file:
        names = file.namelist()
        assert len(names) == len(areas) == len(set(names)) == 100_000
        for index in [0, 1, 65_535, 65_536, 99_999]:
            roi = roifile.ImagejRoi.frombytes(file.read(names[index]))
            assert int(roi.name.split("-")[0]) == index + 1


def make_image() -> None:
    import tifffile
    from PIL import Image

    grey = np.array(Image.open(folder / "nuclei.png").convert("L")).astype(np.uint16) * 200
    second = np.arange(grey.size, dtype=np.uint16).reshape(grey.shape)
    third = np.full_like(grey, 7)
    metadata = {"axes": "CYX", "PhysicalSizeX": PIXEL_SIZE, "PhysicalSizeY": PIXEL_SIZE, "Channel": {"Name": ["DNA", "ramp", "flat"]}}
    tifffile.imwrite(folder / "nuclei.ome.tif", np.stack([grey, second, third]), metadata=metadata)


def example() -> None:
    import pandas
    import roifile
    import tifffile

    found = tifffile.imread(folder / "opened" / "nuclei.ome.labels.tif")
    table = pandas.read_csv(folder / "opened" / "nuclei.ome.measurements.csv")
    image = tifffile.imread(folder / "nuclei.ome.tif")
    cells = found.max()
    assert found.shape == image.shape[1:] and cells > 10
    assert len(roifile.roiread(folder / "opened" / "nuclei.ome.rois.zip")) == len(table) == cells
    # No pixel belongs to two cells here.
    for channel in range(3):
        means = [image[channel][found == label].mean() for label in table["label"]]
        assert np.allclose(table[f"intensity_mean-{channel}"], means)
    assert np.allclose(table["area_um2"], np.bincount(found.ravel())[1:] * PIXEL_SIZE**2)
    areas = np.bincount(found.ravel(), minlength=cells + 1)[1:]
    (folder / "opened.areas.txt").write_text("\n".join(map(str, areas)))
    found.astype(np.uint32).tofile(folder / "opened.u32")


globals()[sys.argv[1]]()
print("equal")
