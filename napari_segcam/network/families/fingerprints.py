"""Networks that are known by the names of their weights, but not rebuilt: what they are, and what to give for them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

_ANY_PREFIX = r"(^|\.)"


@dataclass(frozen=True)
class Fingerprint:
    """A network and the names that only it has.

    Attributes:
        name: of the network.
        repository: on GitHub, or the package that has it.
        marks: regular expressions; each must match the name of a tensor, at its beginning or after a dot.
        factory: the body of the function that makes it, after its import; empty if a module is not enough.
        remark: what else must be known: settings that the weights do not show, or why it gives no mask.
    """

    name: str
    repository: str
    marks: tuple[str, ...]
    factory: str = ""
    remark: str = ""

    def matches(self, names: Iterable[str]) -> bool:
        """Whether weights of these names are those of this network."""
        names = list(names)
        return all(any(re.search(_ANY_PREFIX + mark, name) for name in names) for mark in self.marks)


_PROMPT = "It draws a mask only for a prompt (a point or a box), so it has no mask of the whole image to explain."
_OBJECTS = (
    "It finds objects, each with a box, and has no map for each class. Wrap it in a module that returns one map for "
    "each class."
)
_IMAGES = "It makes images, not masks."
_FIXED = "Its image size is fixed: give the one that it was trained with."

# The more specific ones come first.
FINGERPRINTS: tuple[Fingerprint, ...] = (
    Fingerprint(
        "TransUNet",
        "Beckschen/TransUNet",
        (r"transformer\.embeddings\.", r"transformer\.encoder\.layer\.0\.", r"decoder\.conv_more\.0\.weight"),
        "networks.vit_seg_modeling.VisionTransformer(CONFIGS['R50-ViT-B_16'], img_size=224, num_classes={outputs})",
        "Its config (R50-ViT-B_16 or ViT-B_16, n_skip) and image size are not in the weights.",
    ),
    Fingerprint(
        "UCTransNet",
        "McGregorWwww/UCTransNet",
        (r"mtc\.embeddings_1\.", r"mtc\.encoder\."),
        "nets.UCTransNet.UCTransNet(config, n_channels={inputs}, n_classes={outputs}, img_size=224)",
        _FIXED,
    ),
    Fingerprint(
        "Swin-Unet",
        "HuCaoFighting/Swin-Unet",
        (r"layers\.0\.blocks\.0\.attn\.relative_position_bias_table", r"layers_up\.\d+\.", r"concat_back_dim\.\d+\."),
        "networks.vision_transformer.SwinUnet(config, img_size=224, num_classes={outputs})",
        _FIXED,
    ),
    Fingerprint(
        "VM-UNet",
        "JCruan519/VM-UNet",
        (r"layers\.0\.blocks\.0\.self_attention\.A_logs", r"layers_up\.\d+\."),
        "models.vmunet.vmunet.VMUNet(input_channels={inputs}, num_classes={outputs})",
        "Its depths are not fixed by its name, and it needs the package mamba-ssm.",
    ),
    Fingerprint(
        "Polyp-PVT",
        "DengPingFan/Polyp-PVT",
        (r"backbone\.patch_embed1\.proj\.weight", r"Translayer2_1\.conv\.weight"),
        "lib.pvt.PolypPVT()",
    ),
    Fingerprint(
        "SegFormer (original)",
        "NVlabs/SegFormer",
        (r"patch_embed1\.proj\.weight", r"linear_c4\.proj\.weight", r"linear_fuse\."),
        "mmseg.models.build_segmentor(Config.fromfile('local_configs/segformer/….py').model)",
        "Hugging Face's folders of SegFormer (config.json and model.safetensors) open without this.",
    ),
    Fingerprint(
        "HRNet with OCR",
        "HRNet/HRNet-Semantic-Segmentation",
        (r"stage4\.0\.fuse_layers\.", r"transition1\.", r"ocr_distri_head\."),
        "models.seg_hrnet_ocr.get_seg_model(config)",
        "The experiment's YAML file has its widths.",
    ),
    Fingerprint(
        "HRNet",
        "HRNet/HRNet-Semantic-Segmentation",
        (r"stage4\.0\.fuse_layers\.", r"transition1\.", r"last_layer\.0\.weight"),
        "models.seg_hrnet.get_seg_model(config)",
        "The experiment's YAML file has its widths.",
    ),
    Fingerprint(
        "UNeXt",
        "jeya-maria-jose/UNeXt-pytorch",
        (r"patch_embed3\.proj\.weight", r"block1\.0\.mlp\.dwconv\.dwconv\.weight", r"dbn4\.weight"),
        "archs.UNext(num_classes={outputs}, input_channels={inputs})",
    ),
    Fingerprint(
        "U-KAN",
        "CUHK-AIM-Group/U-KAN",
        (r"block1\.0\.layer\.fc1\.base_weight", r"patch_embed3\.proj\.weight"),
        "archs.UKAN(num_classes={outputs}, input_channels={inputs})",
    ),
    Fingerprint(
        "Medical Transformer (MedT)",
        "jeya-maria-jose/Medical-Transformer",
        (r"layer1\.0\.hight_block\.qkv_transform\.weight",),
        "lib.models.axialnet.MedT(img_size=128, imgchan={inputs})",
        _FIXED,
    ),
    Fingerprint(
        "PraNet",
        "DengPingFan/PraNet",
        (r"rfb2_1\.branch0\.0\.conv\.weight", r"agg1\.conv_upsample1\.conv\.weight", r"ra4_conv1\.conv\.weight"),
        "lib.PraNet_Res2Net.PraNet()",
        "Its last output (lateral_map_2) is the mask.",
    ),
    Fingerprint(
        "CE-Net or D-LinkNet",
        "Guzaiwang/CE-Net or zlckanata/DeepGlobe-Road-Extraction-Challenge",
        (r"firstconv\.weight", r"dblock\.dilate1\.weight", r"finaldeconv1\.weight"),
        "networks.cenet.CE_Net_()",
    ),
    Fingerprint(
        "FCBFormer",
        "ESandML/FCBFormer",
        (r"TB\.backbone\.patch_embed1\.", r"FCB\.enc_blocks\."),
        "Models.models.FCBFormer(size=352)",
        _FIXED,
    ),
    Fingerprint(
        "BASNet",
        "xuebinqin/BASNet",
        (r"inconv\.weight", r"outconvb\.weight", r"refunet\."),
        "model.BASNet.BASNet({inputs}, {outputs})",
    ),
    Fingerprint(
        "SAM 2",
        "facebookresearch/sam2",
        (r"sam_mask_decoder\.", r"image_encoder\.trunk\."),
        remark=_PROMPT,
    ),
    Fingerprint(
        "SAM or MedSAM",
        "facebookresearch/segment-anything or bowang-lab/MedSAM",
        (r"image_encoder\.", r"prompt_encoder\.", r"mask_decoder\."),
        remark=_PROMPT,
    ),
    Fingerprint(
        "Mask2Former or MaskFormer of Detectron2",
        "facebookresearch/Mask2Former",
        (r"sem_seg_head\.predictor\.", r"sem_seg_head\.pixel_decoder\."),
        remark="Its semantic folders of Hugging Face (config.json and model.safetensors) open; convert it to one.",
    ),
    Fingerprint(
        "a detector of Detectron2",
        "facebookresearch/detectron2",
        (r"proposal_generator\.rpn_head\.", r"roi_heads\.", r"backbone\."),
        remark=_OBJECTS,
    ),
    Fingerprint(
        "Mask R-CNN",
        "torchvision",
        (r"rpn\.head\.", r"roi_heads\.mask_predictor\.mask_fcn_logits\.weight"),
        remark=_OBJECTS,
    ),
    Fingerprint("Faster R-CNN", "torchvision", (r"rpn\.head\.", r"roi_heads\.box_predictor\."), remark=_OBJECTS),
    Fingerprint(
        "YOLO with masks (Ultralytics)",
        "ultralytics/ultralytics",
        (r"\d+\.proto\.cv1\.conv\.weight", r"\d+\.cv4\.0\.0\.conv\.weight"),
        remark=_OBJECTS,
    ),
    Fingerprint(
        "YOLO (Ultralytics)",
        "ultralytics/ultralytics",
        (r"\d+\.cv2\.0\.0\.conv\.weight", r"\d+\.cv3\.0\.", r"0\.conv\.weight"),
        remark=_OBJECTS,
    ),
    Fingerprint(
        "YOLOv5 or YOLOv7",
        "ultralytics/yolov5",
        (r"\d+\.anchors$", r"\d+\.m\.0\.weight", r"0\.conv\.weight"),
        remark=_OBJECTS,
    ),
    Fingerprint(
        "DETR",
        "facebookresearch/detr",
        (r"query_embed\.weight", r"class_embed\.weight", r"bbox_embed\.layers\.0\.weight"),
        remark=_OBJECTS,
    ),
    Fingerprint(
        "a network of nnU-Net v1",
        "MIC-DKFZ/nnUNet (branch nnunetv1)",
        (r"conv_blocks_context\.0\.", r"conv_blocks_localization\.0\.", r"seg_outputs\.0\.weight"),
        "nnunet.network_architecture.generic_UNet.Generic_UNet(…)",
        "Its plans (the .pkl file beside the checkpoint) have its arguments.",
    ),
    Fingerprint(
        "Stable Diffusion or another latent diffusion network",
        "CompVis/latent-diffusion",
        (r"time_embed\.0\.weight", r"input_blocks\.0\.0\.weight", r"output_blocks\.0\."),
        remark=_IMAGES,
    ),
    Fingerprint(
        "a diffusion network of diffusers",
        "huggingface/diffusers",
        (r"time_embedding\.linear_1\.weight", r"down_blocks\.0\.", r"mid_block\."),
        remark=_IMAGES,
    ),
    Fingerprint(
        "the U-Net generator of pix2pix",
        "junyanz/pytorch-CycleGAN-and-pix2pix",
        (
            r"model\.model\.0\.weight",
            r"model\.model\.1\.model\.1\.weight",
            r"model\.model\.1\.model\.3\.model\.1\.weight",
        ),
        "models.networks.define_G({inputs}, {outputs}, 64, 'unet_256', norm='batch')",
        "Its norm and its number of levels (unet_128 or unet_256) are in the training options.",
    ),
    Fingerprint(
        "the ResNet generator of CycleGAN",
        "junyanz/pytorch-CycleGAN-and-pix2pix",
        (r"model\.1\.weight", r"model\.1\d\.conv_block\.1\.weight", r"model\.1\d\.conv_block\.[56]\.weight"),
        "models.networks.define_G({inputs}, {outputs}, 64, 'resnet_9blocks', norm='instance')",
        _IMAGES,
    ),
    Fingerprint("StyleGAN", "NVlabs/stylegan3", (r"mapping\.fc0\.weight", r"synthesis\.(b4|input)\."), remark=_IMAGES),
    Fingerprint(
        "DeepLabV3+ of VainF",
        "VainF/DeepLabV3Plus-Pytorch",
        (r"classifier\.aspp\.convs\.0\.0\.weight", r"classifier\.project\.0\.weight", r"backbone\."),
        "network.modeling.deeplabv3plus_resnet50(num_classes={outputs}, output_stride=16)",
        "The backbone is named in the file's name, the output stride in the training options.",
    ),
    Fingerprint(
        "DeepLabV3+ of jfzhang95",
        "jfzhang95/pytorch-deeplab-xception",
        (r"aspp\.aspp1\.atrous_conv\.weight", r"decoder\.last_conv\.0\.weight"),
        "modeling.deeplab.DeepLab(backbone='resnet', output_stride=16, num_classes={outputs})",
        "The backbone and the output stride are in the training options.",
    ),
    Fingerprint(
        "DeepLabV3+ of bubbliiiing",
        "bubbliiiing/deeplabv3-plus-pytorch",
        (r"aspp\.branch1\.0\.weight", r"shortcut_conv\.0\.weight", r"cls_conv\.weight"),
        "nets.deeplabv3_plus.DeepLab({outputs}, backbone='mobilenet', downsample_factor=16, pretrained=False)",
        "The backbone and the down-sampling factor are in train.py.",
    ),
    Fingerprint(
        "PSPNet of semseg",
        "hszhao/semseg",
        (r"ppm\.features\.0\.1\.weight", r"cls\.4\.weight", r"layer0\.0\.weight"),
        "model.pspnet.PSPNet(layers=50, classes={outputs}, zoom_factor=8, pretrained=False)",
        "Its number of layers is in the YAML file.",
    ),
    Fingerprint(
        "BiSeNet",
        "CoinCheung/BiSeNet",
        (r"cp\.resnet\.conv1\.weight", r"conv_out\.conv_out\.weight"),
        "lib.models.bisenetv1.BiSeNetV1({outputs})",
    ),
    Fingerprint(
        "Fast-SCNN",
        "Tramac/Fast-SCNN-pytorch",
        (r"learning_to_downsample\.conv\.conv\.0\.weight", r"global_feature_extractor\."),
        "models.fast_scnn.FastSCNN({outputs})",
    ),
    Fingerprint(
        "ERFNet",
        "Eromera/erfnet_pytorch",
        (r"encoder\.initial_block\.conv\.weight", r"decoder\.output_conv\.weight"),
        "train.erfnet.Net({outputs})",
    ),
    Fingerprint(
        "Segmenter",
        "rstrudel/segmenter",
        (r"encoder\.patch_embed\.proj\.weight", r"decoder\.cls_emb", r"decoder\.mask_norm\.weight"),
        "segm.model.factory.create_segmenter(variant['net_kwargs'])",
        "variant.yml beside the checkpoint has its arguments.",
    ),
    Fingerprint("CLIPSeg", "timojl/clipseg", (r"film_mul\.weight", r"trans_conv\."), remark=_PROMPT),
    Fingerprint(
        "a network of MMSegmentation",
        "open-mmlab/mmsegmentation",
        (r"decode_head\.conv_seg\.weight",),
        "mmseg.apis.init_model('CONFIG.py', device='cpu')",
        "Its config file has the backbone and the head. Wrap it so that forward returns encode_decode(image, metas).",
    ),
)

_CLASSIFIER = "It classifies whole images and has no mask; its class scores can be explained."

# Only looked for if no other one matches: other networks contain them.
CLASSIFIERS: tuple[Fingerprint, ...] = (
    Fingerprint(
        "a ResNet that classifies",
        "torchvision or timm",
        (r"layer1\.0\.conv1\.weight", r"layer4\.0\.conv1\.weight", r"fc\.weight"),
        "torchvision.models.resnet50(num_classes={scores})",
        _CLASSIFIER,
    ),
    Fingerprint(
        "a VGG that classifies",
        "torchvision",
        (r"features\.0\.weight", r"classifier\.6\.weight"),
        "torchvision.models.vgg16_bn(num_classes={scores})",
        _CLASSIFIER,
    ),
    Fingerprint(
        "a DenseNet that classifies",
        "torchvision",
        (r"features\.denseblock1\.denselayer1\.", r"classifier\.weight"),
        "torchvision.models.densenet121(num_classes={scores})",
        _CLASSIFIER,
    ),
    Fingerprint(
        "a MobileNet or EfficientNet that classifies",
        "torchvision",
        (r"features\.1\.", r"features\.0\.0\.weight", r"classifier\.[13]\.weight"),
        "torchvision.models.efficientnet_b0(num_classes={scores})",
        _CLASSIFIER,
    ),
    Fingerprint(
        "a vision transformer that classifies",
        "timm",
        (r"cls_token", r"patch_embed\.proj\.weight", r"blocks\.0\.attn\.qkv\.weight", r"head\.weight"),
        "timm.create_model('vit_base_patch16_224', num_classes={scores})",
        _CLASSIFIER,
    ),
)
