"""How to read the report: what its figures show, what they do not, and where they come from."""

from __future__ import annotations

from napari_segcam.reporting.report.document import Bullets, Section


def reading_section() -> Section:
    """What a reader should know before believing a heatmap."""
    return Section("reading", "How to read this report", [Bullets(_READING)])


def limits_section() -> Section:
    """What the report cannot say."""
    return Section("limits", "Limits", [Bullets(_LIMITS)])


def literature_section() -> Section:
    """The sources of the methods and of the warnings."""
    return Section("literature", "Literature", [Bullets(tuple(("", source) for source in _LITERATURE))])


_READING = (
    (
        "What a heatmap shows",
        "Grad-CAM weights the feature maps of one stage of the network by how strongly the score of a class depends "
        "on them, and keeps what speaks for the class (Selvaraju 2017). For segmentation the score is the sum of "
        "the logits over a region, by default the predicted mask (Seg-Grad-CAM, Vinogradova 2020). The heatmap says "
        "which places this stage used for this score. It does not say that the network was right, that a place is "
        "diseased, or that a place without heat is healthy.",
    ),
    (
        "Early, middle and late stages",
        "Early encoder stages have fine maps of edges and texture, late ones coarse maps of larger structures: one "
        "pixel of a map at stride 32 stands for 32 × 32 pixels of the network's input. Read heat no more finely "
        "than that.",
    ),
    (
        "The ratio is partly so by construction",
        "The last decoder stages repeat the mask: their heat lies inside the prediction because the prediction is made "
        "of it. A large ratio there is no evidence. The deepest encoder stage tells more, and the ratio for the true "
        "mask more than that for the predicted one.",
    ),
    (
        "Compare like with like",
        "Raw heat is in units of the score and differs between stages, methods and networks. Compare images at one "
        "stage by one method; compare stages by their ratios only.",
    ),
    (
        "Heat outside a mask",
        "It may be context (the organ around a lesion, shadowing behind it), which a good network may use; or a "
        "shortcut, such as callipers, text and the edge of the scan. The pictures tell them apart, the ratio does not.",
    ),
    (
        "Empty and undefined",
        "Where the network finds nothing of a class, there is no region to explain and no heatmap. Where nothing at a "
        "stage speaks for the class, the heatmap is empty; a ratio without heat outside has no denominator. All these "
        "are counted with their reasons, and never as 0. Means and medians are over the rest, so read the counts "
        "first.",
    ),
    (
        "Looking right is not being right",
        "Some saliency methods give the same pictures for a network with random weights (Adebayo 2018), and in medical "
        "images their localization and repeatability were found wanting (Arun 2021). Before heatmaps support a claim, "
        "test whether they change when weights are randomized and whether removing the hot places changes the score.",
    ),
    (
        "Dice and IoU",
        "Both punish small structures harder than large ones and say nothing of the shape of an error. The areas and "
        "the pictures belong beside them (Maier-Hein 2024).",
    ),
)

_LIMITS = (
    (
        "Research use only",
        "This report describes the behavior of a network. It is no medical device and no basis for the diagnosis or "
        "treatment of any patient.",
    ),
    (
        "One value per image",
        "Images of one patient are not independent, and no test of significance is made. Who compares groups needs to "
        "know which images belong together, which the run does not record.",
    ),
    (
        "Frames of a cine",
        "A cine is one image here: its figures are medians over its frames, its picture is one frame.",
    ),
    (
        "Names and pixels",
        "No DICOM identifiers are read into the report. File names are shown unless it is anonymous. Text burned into "
        "the pixels, such as a patient's name, stays in the pictures: look before passing the report on.",
    ),
    (
        "Pictures",
        "They are JPEG files, scaled for each heatmap, and for many images made smaller. Measure on the data, not "
        "here.",
    ),
)

_LITERATURE = (
    "Adebayo J, Gilmer J, Muelly M, Goodfellow I, Hardt M, Kim B. Sanity checks for saliency maps. Advances in Neural "
    "Information Processing Systems 31, 2018. arXiv:1810.03292.",
    "Arun N, Gaw N, Singh P, et al. Assessing the trustworthiness of saliency maps for localizing abnormalities in "
    "medical imaging. Radiology: Artificial Intelligence 2021; 3(6): e200267.",
    "Bland JM, Altman DG. Statistical methods for assessing agreement between two methods of clinical measurement. "
    "Lancet 1986; 327: 307–310.",
    "Dice LR. Measures of the amount of ecologic association between species. Ecology 1945; 26: 297–302.",
    "Iglewicz B, Hoaglin DC. How to detect and handle outliers. ASQC Quality Press, 1993.",
    "Jaccard P. The distribution of the flora in the alpine zone. New Phytologist 1912; 11: 37–50.",
    "Maier-Hein L, Reinke A, Godau P, et al. Metrics reloaded: recommendations for image analysis validation. Nature "
    "Methods 2024; 21: 195–212.",
    "Selvaraju RR, Cogswell M, Das A, Vedantam R, Parikh D, Batra D. Grad-CAM: visual explanations from deep networks "
    "via gradient-based localization. ICCV 2017. arXiv:1610.02391.",
    "Tukey JW. Exploratory data analysis. Addison-Wesley, 1977.",
    "Vinogradova K, Dibrov A, Myers G. Towards interpretable semantic segmentation via gradient-weighted class "
    "activation mapping. AAAI 2020. arXiv:2002.11434.",
)
