"""The planner: how a program is folded onto a board's multipliers, memories and logic."""

from npde_hdl.plan.fold import plan_for
from npde_hdl.plan.plan import EvolvedStep, Plan, PooledStep, WeightedStep

__all__ = ["EvolvedStep", "Plan", "PooledStep", "WeightedStep", "plan_for"]
