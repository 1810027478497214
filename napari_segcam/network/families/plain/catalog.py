"""The families of networks that are known."""

from __future__ import annotations

from napari_segcam.network.families.plain.family import PlainFamily
from napari_segcam.network.families.plain.other_networks import (
    deeplab,
    linknet,
    pranet,
    segnet,
    swin_unet,
    ternaus,
    transunet,
    u2net,
    unext,
)
from napari_segcam.network.families.plain.unets import (
    brain,
    concat_unets,
    fastmri,
    leejunhyun,
    list_unets,
    milesial,
    nested,
    nikhilroxtomar,
    resunet,
    torch_em,
    tutorial,
    unet3plus,
    usuyama,
)

FAMILIES: tuple[PlainFamily, ...] = (
    *milesial.FAMILIES,
    *tutorial.FAMILIES,
    *nested.FAMILIES,
    *leejunhyun.FAMILIES,
    *brain.FAMILIES,
    *usuyama.FAMILIES,
    *list_unets.FAMILIES,
    *nikhilroxtomar.FAMILIES,
    *ternaus.FAMILIES,
    *linknet.FAMILIES,
    *segnet.FAMILIES,
    *torch_em.FAMILIES,
    *u2net.FAMILIES,
    *unet3plus.FAMILIES,
    *unext.FAMILIES,
    *pranet.FAMILIES,
    *deeplab.FAMILIES,
    *transunet.FAMILIES,
    *swin_unet.FAMILIES,
    *concat_unets.FAMILIES,
    *resunet.FAMILIES,
    *fastmri.FAMILIES,
)
