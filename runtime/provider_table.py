"""The table of execution providers: what each is called, which package brings it, which options it takes.

The options are those that onnxruntime documents (https://onnxruntime.ai/docs/execution-providers/, as of 1.31) or that
a plugin reads. What only code can hand over is left out: streams, allocators, pointers.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Provider:
    """One row of the table."""

    name: str
    """Short: what people write."""
    full: str
    """onnxruntime's."""
    get: str
    """What brings it, as the end of a sentence: `pip install ...` where there is a package."""
    hardware: str
    """What it runs on."""
    options: str = ""
    """The names of its options, separated by spaces."""
    is_gpu: bool = False
    """Whether float16 suits it best."""
    limit: str = ""
    """What a model has to be for it to run a node, where others run any."""


TABLE: tuple[Provider, ...] = (
    Provider("cpu", "CPUExecutionProvider", "pip install onnxruntime", "any CPU"),
    Provider(
        "cuda",
        "CUDAExecutionProvider",
        "pip install onnxruntime-gpu instead of onnxruntime",
        "NVIDIA GPUs, with CUDA and cuDNN installed",
        "device_id gpu_mem_limit arena_extend_strategy cudnn_conv_algo_search do_copy_in_default_stream "
        "cudnn_conv_use_max_workspace cudnn_conv1d_pad_to_nc1d enable_cuda_graph enable_skip_layer_norm_strict_mode "
        "tunable_op_enable tunable_op_tuning_enable tunable_op_max_tuning_duration_ms prefer_nhwc "
        "use_ep_level_unified_stream use_tf32 fuse_conv_bias sdpa_kernel",
        is_gpu=True,
    ),
    Provider(
        "tensorrt",
        "TensorrtExecutionProvider",
        "pip install onnxruntime-gpu instead of onnxruntime",
        "NVIDIA GPUs, with CUDA and TensorRT installed",
        "device_id trt_max_partition_iterations trt_min_subgraph_size trt_max_workspace_size trt_fp16_enable "
        "trt_bf16_enable trt_int8_enable trt_int8_calibration_table_name trt_int8_use_native_calibration_table "
        "trt_dla_enable trt_dla_core trt_dump_subgraphs trt_engine_cache_enable trt_engine_cache_path "
        "trt_engine_cache_prefix trt_weight_stripped_engine_enable trt_onnx_model_folder_path "
        "trt_engine_decryption_enable trt_engine_decryption_lib_path trt_force_sequential_engine_build "
        "trt_context_memory_sharing_enable trt_layer_norm_fp32_fallback trt_timing_cache_enable trt_timing_cache_path "
        "trt_force_timing_cache trt_detailed_build_log trt_build_heuristics_enable trt_sparsity_enable "
        "trt_builder_optimization_level trt_auxiliary_streams trt_tactic_sources trt_extra_plugin_lib_paths "
        "trt_profile_min_shapes trt_profile_max_shapes trt_profile_opt_shapes trt_cuda_graph_enable "
        "trt_dump_ep_context_model trt_ep_context_file_path trt_ep_context_embed_mode trt_engine_hw_compatible "
        "trt_op_types_to_exclude",
        is_gpu=True,
    ),
    Provider(
        "tensorrt-rtx",
        "NvTensorRTRTXExecutionProvider",
        "pip install onnxruntime-ep-nv-tensorrt-rtx beside onnxruntime",
        "NVIDIA RTX GPUs from the 30 series on",
        "device_id enable_cuda_graph nv_max_workspace_size nv_max_shared_mem_size nv_dump_subgraphs "
        "nv_detailed_build_log nv_profile_min_shapes nv_profile_max_shapes nv_profile_opt_shapes "
        "nv_multi_profile_enable nv_runtime_cache_path",
        is_gpu=True,
    ),
    Provider(
        "openvino",
        "OpenVINOExecutionProvider",
        "pip install onnxruntime-ep-openvino beside onnxruntime on Intel hardware, or onnxruntime-openvino instead of "
        "onnxruntime on other x86 CPUs",
        "Intel CPUs, GPUs and NPUs; on others install onnxruntime-openvino instead of onnxruntime",
        "device_type precision num_of_threads num_streams cache_dir load_config reshape_input layout model_priority "
        "enable_qdq_optimizer enable_opencl_throttling disable_dynamic_shapes",
    ),
    Provider(
        "directml",
        "DmlExecutionProvider",
        "pip install onnxruntime-directml instead of onnxruntime, on Windows",
        "DirectX 12 GPUs under Windows",
        "device_id performance_preference device_filter disable_metacommands enable_graph_capture",
        is_gpu=True,
    ),
    Provider(
        "coreml",
        "CoreMLExecutionProvider",
        "pip install onnxruntime, on macOS",
        "Apple's CPUs, GPUs and Neural Engines",
        "ModelFormat MLComputeUnits RequireStaticInputShapes EnableOnSubgraphs SpecializationStrategy "
        "ProfileComputePlan AllowLowPrecisionAccumulationOnGPU ModelCacheDirectory",
        is_gpu=True,
    ),
    Provider(
        "qnn",
        "QNNExecutionProvider",
        "pip install onnxruntime-qnn beside onnxruntime",
        "Qualcomm's NPUs and GPUs",
        "backend_type backend_path profiling_level profiling_file_path rpc_control_latency vtcm_mb "
        "htp_performance_mode qnn_saver_path qnn_context_priority htp_graph_finalization_optimization_mode soc_model "
        "htp_arch device_id enable_htp_fp16_precision htp_bf16_enable offload_graph_io_quantization "
        "enable_htp_spill_fill_buffer enable_htp_shared_memory_allocator htp_share_resource_optimization "
        "enable_vtcm_backup_buffer_sharing dump_json_qnn_graph json_qnn_graph_dir extended_udma skip_qnn_version_check",
        limit="it takes models whose every dimension is fixed, the batch too",
    ),
    Provider(
        "migraphx",
        "MIGraphXExecutionProvider",
        "pip install onnxruntime-migraphx instead of onnxruntime",
        "AMD GPUs, with ROCm installed",
        "device_id migraphx_fp16_enable migraphx_bf16_enable migraphx_fp8_enable migraphx_int8_enable "
        "migraphx_int8_calibration_table_name migraphx_use_native_calibration_table migraphx_model_cache_dir "
        "migraphx_exhaustive_tune migraphx_mem_limit migraphx_arena_extend_strategy",
        is_gpu=True,
    ),
    Provider(
        "xnnpack",
        "XnnpackExecutionProvider",
        "no package on PyPI has it: build onnxruntime with --use_xnnpack",
        "Arm and x86 CPUs",
        "intra_op_num_threads",
    ),
    Provider(
        "webgpu",
        "WebGpuExecutionProvider",
        "pip install onnxruntime-ep-webgpu beside onnxruntime",
        "GPUs with a Vulkan, DirectX 12 or Metal driver",
        "preferredLayout enableGraphCapture enableInt64 dawnBackendType powerPreference deviceId validationMode "
        "storageBufferCacheMode uniformBufferCacheMode queryResolveBufferCacheMode defaultBufferCacheMode "
        "forceCpuNodeNames enablePIXCapture enableRobustness preserveDevice maxNumPendingDispatches "
        "maxStorageBufferBindingSize sessionBufferPoolGenerations",
        is_gpu=True,
    ),
)

BY_NAME: dict[str, Provider] = {row.name: row for row in TABLE}

BY_FULL_NAME: dict[str, Provider] = {row.full: row for row in TABLE}
