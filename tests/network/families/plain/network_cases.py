"""The networks that the tests of this folder write down: configurations of each family."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import written_concat as concat
import written_others as others
import written_pranet as pranet
import written_resnets as resnets
import written_transformers as transformers
import written_unets as unets
from written_network import Written

Weights = dict[str, torch.Tensor]
Function = Callable[..., torch.Tensor]

LEE, NESTED = "(LeeJunHyun/Image_Segmentation)", "(4uiiurz1/pytorch-nested-unet)"
BIGMB = "(bigmb/Unet-Segmentation-Pytorch-Nest-of-Unets)"
MILESIAL, EARLY = "UNet (milesial/Pytorch-UNet)", "UNet (milesial/Pytorch-UNet, before 2019)"
JVANVUGT, JAXONY = "UNet (jvanvugt/pytorch-unet)", "UNet (jaxony/unet-pytorch)"
ALADDIN = "UNET (aladdinpersson/Machine-Learning-Collection)"
NIKHIL = "(nikhilroxtomar/Semantic-Segmentation-Architecture)"
TERNAUS, TORCH_EM = "(ternaus/TernausNet)", "UNet2d (constantinpape/torch-em)"
LINKNET = "LinkNet34 (ternaus/robot-surgery-segmentation)"
DLINKNET = "D-LinkNet (zlckanata/DeepGlobe-Road-Extraction-Challenge)"
CENET, SEGNET, U2NET = "CE-Net (Guzaiwang/CE-Net)", "SegNet (vinceecws/SegNet_PyTorch)", "U2NET (xuebinqin/U-2-Net)"
UNET3PLUS, UNEXT = "UNet 3+ (ZJUGiveLab/UNet-Version)", "UNext (jeya-maria-jose/UNeXt-pytorch)"
VAINF, JFZHANG = "(VainF/DeepLabV3Plus-Pytorch)", "(jfzhang95/pytorch-deeplab-xception)"
TRANSUNET, SWIN = "TransUNet (Beckschen/TransUNet)", "Swin-Unet (HuCaoFighting/Swin-Unet)"
FASTMRI = "Unet (facebookresearch/fastMRI)"
ZJU, ZIJUNDENG = "(ZJUGiveLab/UNet-Version)", "UNet (zijundeng/pytorch-semantic-segmentation)"


class Case:
    """A configuration of a network: its function and arguments, and what must be read from its weights."""

    def __init__(
        self, title: str, function: Callable[..., torch.Tensor], channels: int, *arguments: Any, **named: Any
    ) -> None:
        self.title, self.channels = title, channels
        self._function, self._arguments, self._named = function, arguments, named

    def written(self) -> tuple[Weights, torch.Tensor, torch.Tensor]:
        """Return random weights, an image, and the logits for it."""
        net = Written(seed=len(self.title))
        side = 64
        if self.title in (CENET, ZIJUNDENG):  # they pool large windows, or pad no convolution
            side = 192
        image = torch.rand(2, self.channels, side, side, generator=torch.Generator().manual_seed(1))
        with torch.no_grad():
            logits = self._function(net, image, *self._arguments, **self._named)
        return net.weights, image, logits


CASES = {
    "milesial": Case(MILESIAL, unets.milesial, 3, (4, 8, 16, 32, 64), 2, transposed=True),
    "milesial, bilinear": Case(MILESIAL, unets.milesial, 1, (4, 8, 16, 32, 64), 1, transposed=False, bias=False),
    "milesial, 3 levels": Case(MILESIAL, unets.milesial, 1, (6, 12, 24), 4, transposed=False),
    "early milesial": Case(EARLY, unets.early_milesial, 3, 4, 1, transposed=False),
    "early milesial, transposed": Case(EARLY, unets.early_milesial, 1, 6, 3, transposed=True),
    "tutorial": Case("UNet (tutorial, e1 … d4)", unets.tutorial, 3, (4, 8, 16, 32, 64), 1, sequential=False),
    "tutorial, sequences": Case("UNet (tutorial, e1 … d4)", unets.tutorial, 1, (5, 7, 9, 11), 4, sequential=True),
    "grid": Case(f"UNet {NESTED}", unets.grid_unet, 3, (4, 8, 12, 16, 20), 1),
    "grid, 3 levels": Case(f"UNet {NESTED}", unets.grid_unet, 1, (4, 8, 12), 2),
    "nested": Case(f"NestedUNet {NESTED}", unets.nested_unet, 3, (4, 6, 8, 10, 12), 1, deep=False),
    "nested, deep": Case(
        f"NestedUNet with deep supervision {NESTED}",
        unets.nested_unet,
        1,
        (3, 5, 7, 9, 11),
        3,
        deep=True,
    ),
    "LeeJunHyun": Case(f"U_Net {LEE}", unets.leejunhyun, 3, (4, 8, 16, 32, 64), 1),
    "LeeJunHyun, 3 levels": Case(f"U_Net {LEE}", unets.leejunhyun, 1, (6, 10, 12), 3),
    "recurrent": Case(f"R2U_Net {LEE}", unets.leejunhyun, 3, (4, 8, 12, 16, 20), 1, recurrent=2),
    "recurrent, 3 levels": Case(f"R2U_Net {LEE}", unets.leejunhyun, 1, (6, 8, 10), 2, recurrent=2),
    "attention": Case(f"AttU_Net {LEE}", unets.leejunhyun, 3, (4, 8, 16, 32, 64), 1, attention=True),
    "attention, 3 levels": Case(f"AttU_Net {LEE}", unets.leejunhyun, 1, (6, 10, 12), 3, attention=True),
    "recurrent, attention": Case(
        f"R2AttU_Net {LEE}",
        unets.leejunhyun,
        3,
        (4, 8, 12, 16, 20),
        1,
        recurrent=2,
        attention=True,
    ),
    "recurrent, attention, 4 levels": Case(
        f"R2AttU_Net {LEE}", unets.leejunhyun, 1, (4, 6, 8, 10), 2, recurrent=2, attention=True
    ),
    "brain": Case("UNet (mateuszbuda/brain-segmentation-pytorch)", unets.brain, 3, 4, 1),
    "brain, 3 classes": Case("UNet (mateuszbuda/brain-segmentation-pytorch)", unets.brain, 1, 6, 3),
    "bigmb": Case(f"U_Net {BIGMB}", unets.leejunhyun, 3, (4, 8, 16, 32, 64), 1, bigmb=True),
    "bigmb, attention": Case(f"AttU_Net {BIGMB}", unets.leejunhyun, 1, (4, 8, 12), 2, attention=True, bigmb=True),
    "bigmb, recurrent": Case(f"R2U_Net {BIGMB}", unets.leejunhyun, 1, (4, 8, 12), 2, recurrent=2, bigmb=True),
    "bigmb, both": Case(
        f"R2AttU_Net {BIGMB}", unets.leejunhyun, 3, (4, 8, 12, 16), 1, recurrent=2, attention=True, bigmb=True
    ),
    "usuyama": Case("UNet (usuyama/pytorch-unet)", others.usuyama, 3, (4, 8, 16, 32), 6),
    "usuyama, 3 levels": Case("UNet (usuyama/pytorch-unet)", others.usuyama, 1, (5, 6, 7), 1),
    "usuyama, ResNet-18": Case("ResNetUNet (usuyama/pytorch-unet)", resnets.resnet_unet, 3, 4, 6, blocks=(2, 2, 2, 2)),
    "usuyama, ResNet-34": Case("ResNetUNet (usuyama/pytorch-unet)", resnets.resnet_unet, 1, 6, 1, blocks=(3, 4, 6, 3)),
    "jvanvugt": Case(JVANVUGT, others.jvanvugt, 1, (4, 8, 16, 32, 64), 2, norm=False, transposed=True),
    "jvanvugt, norm": Case(JVANVUGT, others.jvanvugt, 3, (4, 8, 16), 1, norm=True, transposed=False),
    "aladdinpersson": Case(ALADDIN, others.aladdin, 3, (4, 8, 16, 32), 1),
    "aladdinpersson, bias": Case(ALADDIN, others.aladdin, 1, (5, 9), 3, bias=True),
    "jaxony": Case(JAXONY, others.jaxony, 3, (4, 8, 16, 32, 64), 2, transposed=True, adds=False),
    "jaxony, adds": Case(JAXONY, others.jaxony, 1, (4, 8, 16), 1, transposed=True, adds=True),
    "jaxony, bilinear": Case(JAXONY, others.jaxony, 1, (4, 8, 16), 3, transposed=False, adds=False),
    "nikhilroxtomar, attention": Case(f"attention_unet {NIKHIL}", others.attention_unet, 3, (4, 8, 16, 32), 1),
    "nikhilroxtomar, attention, 3 levels": Case(f"attention_unet {NIKHIL}", others.attention_unet, 1, (4, 6, 9), 3),
    "nikhilroxtomar, residual": Case(f"build_resunet {NIKHIL}", others.resunet, 3, (4, 8, 16, 32), 1),
    "nikhilroxtomar, residual, 3 levels": Case(f"build_resunet {NIKHIL}", others.resunet, 1, (5, 7, 9), 2),
    "ternaus, VGG-11": Case(f"UNet11 {TERNAUS}", resnets.ternaus_vgg, 3, 4, 1, vgg=resnets.VGG11, kind="3", named=True),
    "ternaus, VGG-11, sequences": Case(f"UNet11 {TERNAUS}", resnets.ternaus_vgg, 3, 4, 5, vgg=resnets.VGG11, kind="4"),
    "ternaus, VGG-16": Case(f"UNet16 {TERNAUS}", resnets.ternaus_vgg, 3, 4, 1, vgg=resnets.VGG16, kind="bilinear"),
    "ternaus, VGG-16, transposed": Case(f"UNet16 {TERNAUS}", resnets.ternaus_vgg, 1, 6, 3, vgg=resnets.VGG16, kind="4"),
    "AlbuNet": Case(f"AlbuNet {TERNAUS}", resnets.albunet, 3, 4, 1, kind="bilinear", blocks=(3, 4, 6, 3)),
    "AlbuNet, transposed": Case(f"AlbuNet {TERNAUS}", resnets.albunet, 1, 8, 4, kind="4", blocks=(2, 2, 2, 2)),
    "LinkNet": Case(LINKNET, resnets.linknet, 3, 8, 1, blocks=(3, 4, 6, 3)),
    "LinkNet, 3 classes": Case(LINKNET, resnets.linknet, 1, 12, 3),
    "D-LinkNet": Case(DLINKNET, resnets.linknet, 3, 8, 1, center="dilated", blocks=(3, 4, 6, 3)),
    "D-LinkNet, 2 classes": Case(DLINKNET, resnets.linknet, 1, 12, 2, center="dilated"),
    "CE-Net": Case(CENET, resnets.linknet, 3, 8, 1, center="atrous", blocks=(3, 4, 6, 3)),
    "CE-Net, 3 classes": Case(CENET, resnets.linknet, 1, 12, 3, center="atrous"),
    "SegNet": Case(SEGNET, others.segnet, 3, (4, 8, 12, 16, 16), 2, counts=(2, 2, 3, 3, 3)),
    "SegNet, 3 stages": Case(SEGNET, others.segnet, 1, (4, 8, 12), 1, counts=(2, 2, 2)),
    "torch-em": Case(TORCH_EM, others.torch_em, 1, (4, 8, 16, 32, 64), 2, norm="instance"),
    "torch-em, batch norm": Case(TORCH_EM, others.torch_em, 3, (4, 8, 16), 1, norm="batch"),
    "torch-em, group norm": Case(TORCH_EM, others.torch_em, 3, (4, 8, 16), 1, norm="group"),
    "torch-em, no norm": Case(TORCH_EM, others.torch_em, 2, (4, 8, 16), 3, norm=""),
    "U²-Net": Case(U2NET, others.u2net, 3, 4, 8, 1),
    "U²-Net, 3 classes": Case(U2NET, others.u2net, 1, 3, 6, 3),
    "UNet 3+": Case(UNET3PLUS, transformers.unet_3plus, 3, (4, 6, 8, 10, 12), 1),
    "UNet 3+, deep": Case(UNET3PLUS, transformers.unet_3plus, 1, (3, 4, 5, 6, 7), 2, deep=True),
    "UNeXt": Case(UNEXT, transformers.unext, 3, (8, 16, 20, 24, 32), 1),
    "UNeXt, 3 classes": Case(UNEXT, transformers.unext, 1, (4, 8, 12, 16, 20), 3),
    "PraNet": Case("PraNet (DengPingFan/PraNet)", pranet.pranet, 3, 8, 8, blocks=(3, 4, 6, 3)),
    "PraNet, small": Case("PraNet (DengPingFan/PraNet)", pranet.pranet, 1, 6, 4, blocks=(1, 1, 2, 1)),
    "DeepLabV3+": Case(f"DeepLabV3+ {VAINF}", pranet.vainf, 3, 4, 3, plus=True, blocks=(3, 4, 6, 3)),
    "DeepLabV3+, 1 class": Case(f"DeepLabV3+ {VAINF}", pranet.vainf, 1, 6, 1, plus=True),
    "DeepLabV3": Case(f"DeepLabV3 {VAINF}", pranet.vainf, 3, 4, 3, plus=False, blocks=(3, 4, 6, 3)),
    "DeepLabV3, 1 class": Case(f"DeepLabV3 {VAINF}", pranet.vainf, 1, 6, 1, plus=False),
    "jfzhang95": Case(f"DeepLabV3+ {JFZHANG}", pranet.jfzhang, 3, 4, 21, blocks=(3, 4, 6, 3)),
    "jfzhang95, 1 class": Case(f"DeepLabV3+ {JFZHANG}", pranet.jfzhang, 1, 6, 1),
    "TransUNet": Case(TRANSUNET, transformers.transunet, 3, 32, 48, 9, blocks=(3, 4, 9), depth=3),
    "TransUNet, small": Case(TRANSUNET, transformers.transunet, 3, 32, 24, 1, blocks=(1, 1, 2), depth=1),
    "Swin-Unet": Case(SWIN, transformers.swin_unet, 3, 8, 9, heads=(2, 2, 4, 4), window=2),
    "Swin-Unet, 3 levels": Case(SWIN, transformers.swin_unet, 1, 6, 1, heads=(1, 2, 3), window=4),
    "ZJUGiveLab": Case(f"UNet {ZJU}", concat.concat_unet, 3, (4, 8, 16, 32, 64), 1, transposed=True),
    "ZJUGiveLab, bilinear": Case(f"UNet {ZJU}", concat.concat_unet, 1, (4, 8, 16, 24), 3, transposed=False),
    "UNet_2Plus": Case(f"UNet_2Plus {ZJU}", concat.concat_nested, 3, (4, 6, 8, 10, 12), 1),
    "UNet_2Plus, 3 classes": Case(f"UNet_2Plus {ZJU}", concat.concat_nested, 1, (5, 6, 7, 8, 9), 3),
    "zijundeng": Case(ZIJUNDENG, concat.unpadded_unet, 3, (4, 8, 16, 32), 2),
    "zijundeng, 3 levels": Case(ZIJUNDENG, concat.unpadded_unet, 1, (5, 6, 7), 1),
    "fastMRI": Case(FASTMRI, unets.fastmri, 1, (4, 8, 16, 32), 1),
    "fastMRI, 2 poolings": Case(FASTMRI, unets.fastmri, 3, (5, 10), 4),
    "ResUnet": Case("ResUnet (rishikksh20/ResUnet)", concat.residual_unet, 3, (4, 8, 16, 32), 1),
    "ResUnet, 3 classes": Case("ResUnet (rishikksh20/ResUnet)", concat.residual_unet, 1, (5, 6, 7, 8), 3),
    "ResUnet++": Case("ResUnetPlusPlus (rishikksh20/ResUnet)", concat.residual_unet, 3, (4, 8, 16, 32), 1, plus=True),
    "ResUnet++, 2 classes": Case(
        "ResUnetPlusPlus (rishikksh20/ResUnet)", concat.residual_unet, 1, (6, 7, 8, 9), 2, plus=True
    ),
}
